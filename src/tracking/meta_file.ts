/** meta.yaml of experiments and runs, as MLflow's file store writes and reads it. */
import { parse } from "../packages/yaml.ts";

export type MetaValue = string | number | null | readonly never[];
export type Meta = Record<string, MetaValue>;

/** Words that YAML 1.1 does not read as texts. */
const NOT_TEXT = /^(y|n|yes|no|on|off|true|false|null)$/i;

function scalar(value: MetaValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "[]";
  if (typeof value === "number") return `${value}`;
  const text = value as string;
  if (/^[A-Za-z]([\w.\-/:%]*[\w.\-/%])?$/.test(text) && !NOT_TEXT.test(text)) return text;
  // Control characters need the double quotes, whose escapes JSON shares.
  // deno-lint-ignore no-control-regex
  return /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text)
    ? JSON.stringify(text).replaceAll("\u2028", "\\L").replaceAll("\u2029", "\\P")
    : `'${text.replaceAll("'", "''")}'`;
}

/** Keys in alphabetical order, a line each. */
export function printMeta(meta: Meta): string {
  return Object.keys(meta).sort().map((key) => `${key}: ${scalar(meta[key])}\n`).join("");
}

/** Reads a meta.yaml; null if it is not a map. */
export function parseMeta(text: string): Meta | null {
  const value = parse(text, { version: "1.1" });
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Meta : null;
}
