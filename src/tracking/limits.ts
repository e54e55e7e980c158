/** MLflow's limits on what a run may hold (3.17: longer values are cut without a word, other keys refused). */
import { withoutPasswords } from "../formats/secrets.ts";

/** A key of a metric, parameter or tag. The file store makes folders of its slashes, so it must stay below the run. */
export function isKey(key: string): boolean {
  return /^[\w\-. :/]{1,250}$/.test(key) &&
    key.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** The longest texts, in characters, that are kept whole. */
export const MAX_PARAM = 6000;
export const MAX_TAG = 8000;

/** What REST takes in one call. */
export const MAX_BATCH = { metrics: 1000, params: 100, tags: 100 };

/** The entries that MLflow keeps unchanged. */
export function within(entries: Record<string, string>, longest: number): Record<string, string> {
  return Object.fromEntries(
    Object.entries(entries).filter(([key, value]) => isKey(key) && value.length <= longest),
  );
}

/** A nested configuration as MLflow's parameters: dotted keys; lists and empty maps as JSON, null as Python's None. */
export function flattenParams(tree: object, prefix = ""): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [name, value] of Object.entries(tree)) {
    const isMap = typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
    if (isMap) Object.assign(params, flattenParams(value, `${prefix}${name}.`));
    else params[prefix + name] = paramText(value);
  }
  return params;
}

/** A value as MLflow shows it: texts as they are, the rest as Python prints it where the two differ in a word. */
function paramText(value: unknown): string {
  if (typeof value === "string") return withoutPasswords(value);
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return JSON.stringify(value, (_, inner) => typeof inner === "number" && !Number.isFinite(inner) ? `${inner}` : inner);
}
