/** Labels in charts: they are broken into lines, never cut. */

/** About how wide a letter of a label is, in pixels, and how high a line. */
export const LETTER_WIDTH = 6.4;
export const LINE_HEIGHT = 14;

/** A text in lines of at most so many letters, broken where a word ends if one does. */
export function wrapped(text: string, letters: number): string {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > letters) {
    const ends = [...rest.slice(0, letters).matchAll(/[_./ -]/g)].map(({ index }) => index + 1);
    const cut = ends.at(-1) ?? letters;
    lines.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  return [...lines, rest].join("\n");
}

/** How the labels of choices find room side by side: in lines of so many letters, or upright where that is too little. */
export function besideEachOther(
  labels: readonly string[],
  width: number,
): { letters: number; rotate: number; height: number } {
  const letters = Math.floor(width / labels.length / LETTER_WIDTH);
  const longestWord = labels.flatMap((label) => label.split(/(?<=[_./ -])/))
    .reduce((most, word) => Math.max(most, word.length), 0);
  if (letters >= Math.min(longestWord, FEWEST_LETTERS)) {
    return { letters, rotate: 0, height: LINE_HEIGHT * mostLines(labels.map((label) => wrapped(label, letters))) };
  }
  const lines = labels.flatMap((label) => wrapped(label, UPRIGHT_LETTERS).split("\n"));
  const longest = lines.reduce((most, line) => Math.max(most, line.length), 0);
  return { letters: UPRIGHT_LETTERS, rotate: 90, height: longest * LETTER_WIDTH };
}

/** Letters in a line of a label at least, and in one that stands upright at most. */
const [FEWEST_LETTERS, UPRIGHT_LETTERS] = [8, 24];

/** Of the label that has the most. */
export const mostLines = (labels: readonly string[]): number =>
  labels.reduce((most, label) => Math.max(most, label.split("\n").length), 1);

/** Short enough for an axis. */
export function tickText(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-3 && size < 1e5)) return `${Number(value.toPrecision(6))}`;
  return `${Number(value.toPrecision(4))}`.includes("e")
    ? value.toPrecision(4).replace(/\.?0*e/, "e")
    : value.toExponential().replace("e+", "e");
}
