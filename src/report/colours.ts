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
};

/** For things of one kind, in this order. */
export const HUES = [
  COLOURS.blue,
  COLOURS.orange,
  COLOURS.green,
  COLOURS.purple,
  COLOURS.red,
  COLOURS.teal,
] as const;

/** Between two colours, `share` of the way. */
export function blend(from: string, to: string, share: number): string {
  const parts = [1, 3, 5].map((at) => {
    const [a, b] = [from, to].map((colour) => parseInt(colour.slice(at, at + 2), 16));
    return Math.round(a + (b - a) * share).toString(16).padStart(2, "0");
  });
  return `#${parts.join("")}`;
}
