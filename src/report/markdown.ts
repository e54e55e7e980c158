/** Markdown from parts. Text that comes from a study (names, values, reasons) goes through `literal`, whatever is in it. */
import type { Plot } from "./plot.ts";

/** Longer texts are cut. */
const MOST_LETTERS = 300;

/** Text on one line that no document takes amiss: without control characters and without what turns writing around. */
export function plain(text: string): string {
  const line = text.toWellFormed().replace(/[\p{Cc}\p{Zl}\p{Zp}\uFFFE\uFFFF]+/gu, " ").replace(
    /[\u202A-\u202E\u2066-\u2069]/g,
    "",
  );
  return line.length > MOST_LETTERS ? `${line.slice(0, MOST_LETTERS - 1).toWellFormed()}…` : line;
}

/**
 * Text as it is: a code span where nothing in it could end one, otherwise character references, which Markdown never
 * takes for its own signs.
 */
export function literal(text: string): string {
  const line = plain(text);
  if (line.trim() === "") return "(empty)";
  if (!/[`|\\]/.test(line) && line.trim() === line) return `\`${line}\``;
  return line.replace(/[^\p{L}\p{N} ]/gu, (sign) => `&#${sign.codePointAt(0)};`);
}

/** A table; the first column is set flush left, the others right. Cells are Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => column === 0 ? ":--" : "--:");
  return [head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** A section with a chart, which lies beside the document. */
export function plotText({ name, title, caption }: Plot): string {
  return `## ${title}\n\n${caption}\n\n![${title}](${name}.svg)`;
}
