/** Patterns of a tokenizer.json, written for the library Oniguruma, as JavaScript's. */
import { EntailError } from "../errors.ts";

/** Classes that are not the same in JavaScript, for use within brackets. */
const CLASSES: Readonly<Record<string, string>> = {
  s: String.raw`\p{White_Space}`,
  d: String.raw`\p{Nd}`,
  w: String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\xb2\xb3\xb9\xbc-\xbe`,
};

/** `{"String": "…"}` or `{"Regex": "…"}`, for all matches; data error if JavaScript has no such pattern. */
export function patternOf(pattern: unknown, name: string): RegExp {
  const { String: text, Regex: source } = (pattern ?? {}) as { String?: unknown; Regex?: unknown };
  try {
    if (typeof text === "string") return new RegExp(RegExp.escape(text), "gu");
    if (typeof source === "string") return new RegExp(translate(source), "gu");
  } catch (error) {
    throw new EntailError("data", `${name}: the pattern ${source} cannot be used`, { cause: error });
  }
  throw new EntailError("data", `${name}: ${JSON.stringify(pattern)} is no pattern: expected {"Regex": …}`);
}

function translate(source: string): string {
  let inBrackets = false;
  return source.replace(/\\(.)|\[|\]/gsu, (whole, escaped?: string) => {
    if (escaped === undefined) {
      inBrackets = whole === "[";
      return whole;
    }
    const inside = CLASSES[escaped.toLowerCase()];
    // JavaScript allows these escapes of marks only where they mean something.
    if (inside === undefined) return /[^\p{L}\p{N}^$\\.*+?()[\]{}|/-]/u.test(escaped) ? escaped : whole;
    if (escaped === escaped.toLowerCase()) return inBrackets ? inside : `[${inside}]`;
    if (!inBrackets) return `[^${inside}]`;
    return /^\\p\{\w+\}$/.test(inside) ? inside.replace("p", "P") : whole;
  });
}
