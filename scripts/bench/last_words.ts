import { stripVTControlCharacters } from "node:util";

/** Why a program has ended, as far as what it wrote to stderr says: its last line that names an error, else its last. */
export function lastWords(stderr: string): string {
  const lines = stripVTControlCharacters(stderr).split("\n").map((line) => line.trim()).filter((line) => line);
  return lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? "";
}
