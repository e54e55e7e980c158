/** The report as one page that needs nothing else: charts inside, light or dark as the reader's system is. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { Marked } from "../packages/marked.ts";
import { chartLibrary, EXPLORE_MODULES, joinedModules } from "./browser_modules.ts";
import { COLOUR_STYLE, COLOURS } from "./colours.ts";
import { plain } from "./markdown.ts";
import type { Plot } from "./plot.ts";

/** What a page's script finds in it. */
export interface PageCharts {
  readonly plots: readonly Plot[];
  /** What is told of each trial, by number: the values of `names`, null where it has none. */
  readonly trials?: { readonly names: readonly string[]; readonly rows: Record<number, readonly (string | null)[]> };
}

/** Charts to explore and their controls. */
export const CHART_STYLE = `
.plot { display: block; margin: 1rem 0; }
.frame { overflow-x: auto; }
.controls { display: flex; flex-wrap: wrap; gap: 0.4rem; margin: 0.5rem 0; }
.controls button, .controls select { font: inherit; font-size: 0.8rem; padding: 0.15rem 0.55rem; color: var(--ink);
  max-width: 100%; text-align: left; overflow-wrap: anywhere; background: var(--paper); border: 1px solid var(--line);
  border-radius: 0.4rem; cursor: pointer; }
.controls [aria-pressed=true]:not(.legend) { background: var(--grid); }
.legend[aria-pressed=false] { opacity: 0.45; text-decoration: line-through; }
.swatch { display: inline-block; width: 0.9em; height: 0.4em; margin-right: 0.45em; border-radius: 0.2em;
  vertical-align: middle; }
.told { white-space: normal; max-width: min(28rem, 80vw); overflow-wrap: anywhere; }
.plot output { display: block; font-size: 0.85rem; color: var(--faint); }
`;

const STYLE = `${COLOUR_STYLE}
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 0.75rem; padding-bottom: 0.3rem; border-bottom: 1px solid var(--grid); font-size: 1.25rem; }
code { font: 0.9em ui-monospace, Menlo, Consolas, monospace; }
.wide { display: block; overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--grid); text-align: left; }
th { border-bottom-color: var(--line); white-space: nowrap; }
thead:not(:has(th:not(:empty))) { display: none; }
[align=right] { text-align: right; }
svg { display: block; height: auto; min-width: 40rem; max-width: 100%; }
thead:not(:has(th:not(:empty))) + tbody code { overflow-wrap: anywhere; }
td:first-child:has(code) { min-width: 7rem; overflow-wrap: anywhere; }
.small svg { min-width: 18rem; }
.frame { --room: min(100vw - 3.5rem, max(100%, var(--least))); width: var(--room);
  margin-left: calc((100% - var(--room)) / 2); }
@media print { svg, .canvas { break-inside: avoid; } .controls button:not(.legend) { display: none; } }
${CHART_STYLE}`;

const escape = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`);

/** Pixels of charts that a narrow screen has room for. */
const SMALL = 600;

/**
 * Markdown with pictures named after the plots → HTML with the plots inside: to explore, and as pictures where nothing is
 * run. HTML in the Markdown is shown, not obeyed, and no script runs but the page's own.
 */
export async function reportPage(
  title: string,
  markdown: string,
  charts: PageCharts,
  /** The plots as SVG, by the names of their files. */
  pictures: ReadonlyMap<string, string>,
): Promise<string> {
  const { plots } = charts;
  const marked = new Marked({
    renderer: {
      html: ({ text }) => escape(text),
      image({ href, text }) {
        const plot = plots.find(({ name }) => href === `${name}.svg`);
        return plot === undefined
          ? escape(text)
          : `<span class="plot" id="plot-${plot.name}"><noscript><span class="wide${
            plot.size.width < SMALL ? " small" : ""
          }" role="img" aria-label="${escape(text)}">${themed(pictures.get(href)!)}</span></noscript></span>`;
      },
    },
  });
  const body = (marked.parse(markdown, { async: false }))
    .replaceAll("<table>", '<div class="wide"><table>').replaceAll("</table>", "</table></div>");
  const scripts = plots.length === 0 ? [] : await scriptsOf(charts);
  const allowed = scripts.flatMap(({ digest }) => digest);
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src ${
    allowed.length === 0 ? "'none'" : allowed.map((digest) => `'sha256-${digest}'`).join(" ")
  }; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="content-security-policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(plain(title))}</title>
<style>${STYLE}</style>
</head>
<body>
${body}${scripts.map(({ element }) => `${element}\n`).join("")}</body>
</html>
`;
}

interface PageScript {
  readonly element: string;
  /** SHA-256 of what runs, as base64. */
  readonly digest: readonly string[];
}

/** Parts of numbers that no chart shows are left out; whole numbers, such as times, stay. */
const shortNumbers = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;

const digestOf = (text: string): string => createHash("sha256").update(text).digest("base64");

/** What the page runs, and what that unpacks. */
async function scriptsOf(charts: PageCharts): Promise<PageScript[]> {
  const packed = (id: string, text: string) =>
    `<script type="application/gzip" id="${id}">${gzipSync(text).toString("base64")}</script>`;
  const library = await chartLibrary();
  const start = await joinedModules([...EXPLORE_MODULES, "browser/start.ts"]);
  return [
    { element: packed("charts", JSON.stringify(charts, shortNumbers)), digest: [] },
    { element: packed("library", library), digest: [digestOf(library)] },
    { element: `<script type="module">${start}</script>`, digest: [digestOf(start)] },
  ];
}

/** The chart with the page's colours in place of its own. */
function themed(svg: string): string {
  const names = new Map(Object.entries(COLOURS).map(([name, colour]): [string, string] => [colour, name]));
  return svg.replace(/\b(fill|stroke)="(#[0-9a-f]{6})"/g, (whole, property, colour) => {
    const name = names.get(colour);
    return name === undefined ? whole : `${property}="var(--${name})"`;
  });
}
