/** The colours of the charts. As hexadecimal triples, so that a page can put its own in their place. */
export const COLOURS = {
  paper: "#ffffff",
  ink: "#1f2328",
  faint: "#656d76",
  line: "#afb8c1",
  grid: "#eaeef2",
  grey: "#8c959f",
  blue: "#0969da",
  orange: "#d1570b",
  green: "#1a7f37",
  purple: "#8250df",
  red: "#cf222e",
  teal: "#1b7c83",
  scale0: "#64748f",
  scale1: "#7b8796",
  scale2: "#939794",
  scale3: "#ab9c78",
  scale4: "#c59b4c",
  scale5: "#d98324",
  scale6: "#d2560a",
} as const;

/** The same where the page is dark. */
export const DARK_COLOURS: Record<keyof typeof COLOURS, string> = {
  paper: "#0d1117",
  ink: "#e6edf3",
  faint: "#8d96a0",
  line: "#484f58",
  grid: "#21262d",
  grey: "#8d959f",
  blue: "#4493f8",
  orange: "#f0883e",
  green: "#3fb950",
  purple: "#a371f7",
  red: "#f85149",
  teal: "#39c5cf",
  scale0: "#56678a",
  scale1: "#6d7d94",
  scale2: "#8a9296",
  scale3: "#b0a37f",
  scale4: "#d2a857",
  scale5: "#eb9a3a",
  scale6: "#f98547",
};

const DARK_OF = new Map(
  (Object.keys(COLOURS) as (keyof typeof COLOURS)[]).map((name): [string, string] => [
    COLOURS[name],
    DARK_COLOURS[name],
  ]),
);

/** A colour of the charts where the page is dark; any other as it is. */
export const darkOf = (colour: string): string => DARK_OF.get(colour) ?? colour;

const variables = (colours: Record<string, string>): string =>
  Object.entries(colours).map(([name, colour]) => `--${name}: ${colour};`).join(" ");

/** The colours as a page's variables, light or dark as the reader's system is. */
export const COLOUR_STYLE = `
:root { color-scheme: light dark; ${variables(COLOURS)} }
@media (prefers-color-scheme: dark) { :root { ${variables(DARK_COLOURS)} } }
`;

/** For things of one kind, in this order. */
export const HUES = [
  COLOURS.blue,
  COLOURS.orange,
  COLOURS.green,
  COLOURS.purple,
  COLOURS.red,
  COLOURS.teal,
] as const;

/** From the worst to the best. */
export const SCALE = [
  COLOURS.scale0,
  COLOURS.scale1,
  COLOURS.scale2,
  COLOURS.scale3,
  COLOURS.scale4,
  COLOURS.scale5,
  COLOURS.scale6,
] as const;
