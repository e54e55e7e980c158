/** From a tree to a checked `Config`, with errors of one line that name the key. */
import type { z } from "../packages/zod.ts";
import { EntailError, type ErrorKind } from "../errors.ts";
import { inShort } from "../formats/human.ts";
import { resolveInterpolations } from "./interpolation.ts";
import { allowedAt, fillDefaults, hasFixedKeys, knownKeys, schemaAt } from "./introspection.ts";
import { wantedValues } from "./hpo_schema.ts";
import { nearest } from "./nearest.ts";
import { meaningOf } from "./synonyms.ts";
import { type Config, ConfigSchema } from "./schema.ts";
import { isTree, leavesOf, type Tree, type Value, valueAt } from "./tree.ts";

/** How a value looks in a message. */
const shown = (value: unknown): string => inShort(inFull(value));

function inFull(value: unknown): string {
  if (typeof value === "number") return Number.isNaN(value) ? "nan" : `${value}`.replace("Infinity", "inf");
  if (Array.isArray(value)) return `[${value.map(inFull).join(", ")}]`;
  return isTree(value) ? "a mapping" : JSON.stringify(value);
}

/** The message for a key that the schema does not have. */
export function unknownKey(key: string, tree?: Tree): string {
  return `unknown key "${inShort(key)}"; did you mean "${nearest(key, knownKeys(ConfigSchema, tree))}"?`;
}

/** The key with that name, its own or another program's; undefined where there is none. */
export function keyOf(name: string): string | undefined {
  const keys = knownKeys(ConfigSchema);
  return keys.includes(name)
    ? name
    : meaningOf(name) ?? keys.find((key) => key.endsWith(`.${name.replaceAll("-", "_")}`));
}

function issueMessage(issue: z.core.$ZodIssue, tree: Tree): string {
  const path = issue.path.map(String);
  const key = path.join(".");
  if (issue.code === "custom") return `"${key}" ${issue.message}`;
  if (issue.code === "unrecognized_keys") return unknownKey([...path, issue.keys[0]].join("."), tree);
  if (issue.code === "invalid_key") return `"${key}": a name is made of letters, digits, "_", "." and "-"`;
  const { depth, allowed } = allowedAt(ConfigSchema, path);
  const value = valueAt(tree, path.slice(0, depth));
  const name = path.slice(0, depth).join(".");
  return value === undefined ? `"${name}" is missing: ${allowed}` : `"${name}" must be ${allowed}, not ${shown(value)}`;
}

/** What a study or a process has once, for all its trials. */
const NOT_OF_A_TRIAL = /^(hpo|mlflow)\.|^(experiment_name|output_dir|checkpoint_dir|resume|overwrite)$/;

/** A condition that is no parameter's must be a configuration key's, with a value that the key allows. */
function conditionFault(space: Config["hpo"]["search_space"], name: string): string | undefined {
  for (const [other, wanted] of Object.entries(space[name].when ?? {})) {
    if (Object.hasOwn(space, other)) continue;
    const where = `hpo.search_space.${name}.when.${other}`;
    const path = other.split(".");
    const schema = schemaAt(ConfigSchema, path);
    if (schema === undefined || hasFixedKeys(schema)) {
      const names = Object.keys(space).join(", ");
      return `"${where}" is not a parameter of the search space; known are ${names}, and every configuration key`;
    }
    for (const value of wantedValues(wanted)) {
      if ((schema as z.ZodType).safeParse(value).success) continue;
      return `"${where}" must be ${allowedAt(ConfigSchema, path).allowed}, not ${shown(value)}`;
    }
  }
  return undefined;
}

/** Each parameter must set a configuration key of a trial, and only to values that the key allows. */
function searchSpaceFault(config: Config): string | undefined {
  const space = config.hpo.search_space;
  for (const [name, { key, type, low, high, step, choices }] of Object.entries(space)) {
    const where = `hpo.search_space.${name}`;
    const fault = conditionFault(space, name);
    if (fault !== undefined) return fault;
    if (NOT_OF_A_TRIAL.test(key)) return `"${where}.key": "${key}" is the same for all trials and cannot be searched`;
    const schema = schemaAt(ConfigSchema, key.split("."));
    if (schema === undefined) return `"${where}.key": ${unknownKey(key)}`;
    if (hasFixedKeys(schema)) return `"${where}.key": "${key}" is a group of keys, not a key`;
    const values: [string, unknown][] = choices === null
      ? [["low", low], ["high", high]]
      : choices.map((choice, index) => [`choices[${index}]`, choice]);
    // Whole bounds say nothing about what lies between them.
    if (type === "float" && step === null && low !== high) values.push(["type", low! + (high! - low!) / Math.E]);
    for (const [field, value] of values) {
      if ((schema as z.ZodType).safeParse(value).success) continue;
      return `"${where}.${field}": "${key}" must be ${allowedAt(ConfigSchema, key.split(".")).allowed}, not ${
        shown(value)
      }`;
    }
  }
  return undefined;
}

function resolvedOr(fail: (message: string) => never, tree: Tree): Tree {
  try {
    return resolveInterpolations(tree);
  } catch (error) {
    if (error instanceof EntailError) fail(error.message);
    throw error;
  }
}

/**
 * Fills in defaults, resolves interpolations and checks the tree. Throws an `EntailError` of the given kind whose
 * message starts with `place` (a file, or nothing) and names the key and what it allows.
 */
export function checkedConfig(tree: Tree, kind: ErrorKind = "usage", place = ""): Config {
  const fail = (message: string): never => {
    throw new EntailError(kind, place === "" ? message : `${place}: ${message}`);
  };
  const filled = fillDefaults(ConfigSchema, structuredClone(tree));
  const open = leavesOf(filled).find(([, value]: [string, Value]) => value === "???");
  if (open !== undefined) fail(`"${open[0]}" has no value yet ("???"); give one: ${open[0]}=…`);
  const resolved = resolvedOr(fail, filled);
  const result = ConfigSchema.safeParse(resolved);
  if (!result.success) return fail(issueMessage(result.error.issues[0], resolved));
  const fault = searchSpaceFault(result.data);
  return fault === undefined ? result.data : fail(fault);
}
