/** The report as one page that needs nothing else: charts inside, light or dark as the reader's system is. */
import { Marked } from "marked";
import { COLOURS, DARK_COLOURS } from "./colours.ts";
import { plain } from "./markdown.ts";
import type { Plot } from "./plot.ts";

const variables = (colours: Record<string, string>): string =>
  Object.entries(colours).map(([name, colour]) => `--${name}: ${colour};`).join(" ");

const STYLE = `
:root { color-scheme: light dark; ${variables(COLOURS)} }
@media (prefers-color-scheme: dark) { :root { ${variables(DARK_COLOURS)} } }
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
@media print { svg { break-inside: avoid; } }
`;

const escape = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`);

/** Markdown with pictures named after the plots → HTML with the plots inside. HTML in the Markdown is shown, not obeyed. */
export function reportPage(title: string, markdown: string, plots: readonly Plot[]): string {
  const marked = new Marked({
    renderer: {
      html: ({ text }) => escape(text),
      image({ href, text }) {
        const plot = plots.find(({ name }) => href === `${name}.svg`);
        return plot === undefined
          ? escape(text)
          : `<span class="wide${isSmall(plot) ? " small" : ""}" role="img" aria-label="${escape(text)}">${
            themed(plot.svg)
          }</span>`;
      },
    },
  });
  const body = (marked.parse(markdown, { async: false }))
    .replaceAll("<table>", '<div class="wide"><table>').replaceAll("</table>", "</table></div>");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(plain(title))}</title>
<style>${STYLE}</style>
</head>
<body>
${body}</body>
</html>
`;
}

/** Charts that a narrow screen has room for. */
const isSmall = ({ svg }: Plot): boolean => Number(/<svg width="(\d+)"/.exec(svg)?.[1]) < 600;

/** The chart with the page's colours in place of its own. */
function themed(svg: string): string {
  const names = new Map(Object.entries(COLOURS).map(([name, colour]): [string, string] => [colour, name]));
  return svg.replace(/\b(fill|stroke)="(#[0-9a-f]{6})"/g, (whole, property, colour) => {
    const name = names.get(colour);
    return name === undefined ? whole : `${property}="var(--${name})"`;
  });
}
