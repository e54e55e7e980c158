/**
 * Building blocks of the schema. A field's description says what it allows; error messages quote it
 * ("must be an integer >= 1"). As OmegaConf's typed nodes do, fields accept the text of their type: `"5"` from an
 * environment variable is a number, `yes` and `off` are booleans.
 */
import { z } from "../packages/zod.ts";
import { unmasked } from "../formats/secrets.ts";

/** Also with YAML 1.1's digit groups, `1_000`, which YAML 1.2 reads as a text. */
const NUMBER_TEXT = /^\s*[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i;
const BOOLEAN_TEXT: Record<string, boolean> = {
  true: true,
  yes: true,
  on: true,
  false: false,
  no: false,
  off: false,
};

/** Without the sign of a zero, which would make two configurations of one. */
function numberFromText(value: unknown): unknown {
  const number = typeof value === "string" && NUMBER_TEXT.test(value) ? Number(value.replaceAll("_", "")) : value;
  return Object.is(number, -0) ? 0 : number;
}

/** Bounds of a number; `below` and `above` exclude the bound itself. */
interface Bounds {
  min?: number;
  max?: number;
  below?: number;
  above?: number;
}

function described(kind: string, { min, max, below, above }: Bounds): string {
  const low = min ?? above;
  const high = max ?? below;
  if (low !== undefined && high !== undefined) {
    return `${kind} in ${above === undefined ? "[" : "("}${low}, ${high}${below === undefined ? "]" : ")"}`;
  }
  if (low !== undefined) return `${kind} ${above === undefined ? ">=" : ">"} ${low}`;
  return high === undefined ? kind : `${kind} ${below === undefined ? "<=" : "<"} ${high}`;
}

function bounded(base: z.ZodNumber, { min, max, below, above }: Bounds): z.ZodNumber {
  let schema = base;
  if (min !== undefined) schema = schema.min(min);
  if (max !== undefined) schema = schema.max(max);
  if (below !== undefined) schema = schema.lt(below);
  if (above !== undefined) schema = schema.gt(above);
  return schema;
}

/** A finite number within bounds. */
export function real(bounds: Bounds = {}) {
  return z.preprocess(numberFromText, bounded(z.number(), bounds)).describe(described("a number", bounds));
}

/** A whole number within bounds. */
export function integer(bounds: Bounds = {}) {
  return z.preprocess(numberFromText, bounded(z.int(), bounds)).describe(described("an integer", bounds));
}

/** true or false. */
export function flag() {
  const fromText = (value: unknown) => typeof value === "string" ? BOOLEAN_TEXT[value.toLowerCase()] ?? value : value;
  return z.preprocess(fromText, z.boolean()).describe("true or false");
}

/** A text that is not empty; `what` says what it names. */
export function text(what = "a text") {
  const toText = (value: unknown) => typeof value === "number" || typeof value === "boolean" ? `${value}` : value;
  return z.preprocess(toText, z.string().min(1)).describe(what);
}

/** A text that may be an address with a password. */
export function address(what: string) {
  return z.preprocess((value) => typeof value === "string" ? unmasked(value) : value, text(what)).describe(what);
}

/** One of several words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words).describe(words.length === 1 ? `"${words[0]}"` : `one of ${words.join(", ")}`);
}

/** The same field, or null; `meaning` says what null stands for. */
export function orNull<Schema extends z.ZodType>(schema: Schema, meaning?: string) {
  return schema.nullable().describe(`${schema.description}, or null${meaning === undefined ? "" : ` (${meaning})`}`);
}
