/** Reading a model configuration's keys: each with its type, its range and its default. */
import { EntailError, type ErrorKind } from "../errors.ts";

/** Where keys come from. */
export interface Source {
  readonly kind: ErrorKind;
  /** Stands before the key in errors. */
  readonly prefix: string;
}

/** Labels that there are losses and a probability for: one (sigmoid) or two (softmax). */
const MOST_LABELS = 2;

export type FieldReader = ReturnType<typeof fieldReader>;

/** Typed access to keys; every error names the key, what is allowed and what stands there. */
export function fieldReader(given: Readonly<Record<string, unknown>>, { kind, prefix }: Source) {
  const asked = new Set<string>();
  const json = new Proxy(given, {
    get(target, key: string) {
      asked.add(key);
      return target[key];
    },
  });
  const error = (key: string, message: string) => new EntailError(kind, `${prefix}${key}: ${message}`);
  const unfit = (key: string, allowed: string) => error(key, `must be ${allowed}, not ${JSON.stringify(json[key])}`);
  const number = (key: string, fallback: number, fits: (value: number) => boolean, allowed: string): number => {
    const value = json[key] === undefined ? fallback : json[key];
    if (typeof value !== "number" || !Number.isFinite(value) || !fits(value)) throw unfit(key, allowed);
    return value;
  };
  const rate = (key: string, fallback: number): number =>
    number(key, fallback, (value) => value >= 0 && value < 1, "a number in [0, 1)");
  const integer = (key: string, fallback: number, { min = -Infinity, max }: { min?: number; max: number }): number => {
    const fits = (value: number) => Number.isSafeInteger(value) && value >= min && value <= max;
    const allowed = min === -Infinity ? `an integer <= ${max}` : `an integer from ${min} to ${max}`;
    return number(key, fallback, fits, allowed);
  };
  return {
    error,
    number,
    rate,
    /** Keys that nothing has asked for. */
    rest: (): Record<string, unknown> => Object.fromEntries(Object.entries(given).filter(([key]) => !asked.has(key))),
    integer,
    rateOrNull: (key: string): number | null => (json[key] ?? null) === null ? null : rate(key, 0),
    integerOrNull: (key: string, fallback: number, range: { min?: number; max: number }): number | null =>
      json[key] === null ? null : integer(key, fallback, range),
    flag(key: string, fallback: boolean): boolean {
      const value = json[key] === undefined ? fallback : json[key];
      if (typeof value !== "boolean") throw unfit(key, "true or false");
      return value;
    },
    word<Word extends string>(key: string, fallback: Word, words: readonly Word[]): Word {
      const value = json[key] === undefined ? fallback : json[key];
      if (!words.includes(value as Word)) {
        throw unfit(
          key,
          words.length === 1 ? `"${words[0]}" (no other is supported yet)` : `one of ${words.join(", ")}`,
        );
      }
      return value as Word;
    },
    /** A key that, if present, must say what the supported models have anyway. */
    only(key: string, value: number, meaning: string): void {
      const given = json[key] ?? value;
      if (given !== value) {
        throw unfit(key, `${value} (${meaning}; another value is not supported yet)`);
      }
    },
    /** A list of words, or one text with bars between them. */
    words<Word extends string>(key: string, words: readonly Word[]): Word[] {
      const value = json[key] ?? [];
      const terms = typeof value === "string" ? value.toLowerCase().split("|").map((term) => term.trim()) : value;
      if (!Array.isArray(terms) || !terms.every((term) => words.includes(term))) {
        throw unfit(key, `a list of ${words.join(" and ")} (or a text like "${words.join("|")}")`);
      }
      return [...new Set(terms as Word[])];
    },
    /** Names of the classes. A task that has `wanted` of them makes do with any model's: its classifier will be new. */
    labels(wanted?: number): string[] {
      const names = json.id2label ?? null;
      if (names !== null && (typeof names !== "object" || Array.isArray(names))) {
        throw unfit("id2label", "an object from class indices to names");
      }
      const named = Object.keys(names ?? {}).length;
      // As in transformers, a count that contradicts the names wins.
      const count = number(
        "num_labels",
        names === null ? 2 : named,
        (value) => Number.isSafeInteger(value) && value > 0,
        "an integer > 0",
      );
      const labelCount = wanted ?? count;
      if (labelCount > MOST_LABELS) {
        throw error(
          "num_labels",
          `is ${count}; only 1 (sigmoid) or 2 labels (softmax) can be scored; train gives it such a head`,
        );
      }
      if (count !== named || count !== labelCount) {
        return Array.from({ length: labelCount }, (_, index) => `LABEL_${index}`);
      }
      const labels = Array.from({ length: count }, (_, index) => (names as Record<string, unknown>)[index]);
      if (!labels.every((label) => typeof label === "string")) {
        throw unfit("id2label", "an object from the class indices 0, 1, … to names");
      }
      return labels;
    },
  };
}
