/** Walks the zod schema: which keys exist, what they allow, what they default to. */
import type { z } from "../packages/zod.ts";
import { isTree, type Tree, type Value } from "./tree.ts";

type Schema = z.core.$ZodType;

/** The definition of a schema, as far as the walk needs it. */
interface Definition {
  type: string;
  innerType?: Schema;
  in?: Schema;
  out?: Schema;
  shape?: Record<string, Schema>;
  valueType?: Schema;
  defaultValue?: unknown;
  entries?: Record<string, string>;
  options?: Schema[];
  values?: unknown[];
}

function definition(schema: Schema): Definition {
  return schema._zod.def as unknown as Definition;
}

/** The schema inside one wrapper (default, nullable, preprocess …), or undefined. */
function inner(schema: Schema): Schema | undefined {
  const { innerType, in: input, out } = definition(schema);
  if (innerType !== undefined) return innerType;
  return input !== undefined && definition(input).type === "transform" ? out : input;
}

function unwrap(schema: Schema): Schema {
  const next = inner(schema);
  return next === undefined ? schema : unwrap(next);
}

function descriptionOf(schema: Schema | undefined): string | undefined {
  if (schema === undefined) return undefined;
  return (schema as z.ZodType).description ?? descriptionOf(inner(schema));
}

function childOf(schema: Schema, name: string): Schema | undefined {
  const { shape, valueType } = definition(unwrap(schema));
  if (shape !== undefined) return Object.hasOwn(shape, name) ? shape[name] : undefined;
  return valueType;
}

/** The schema of the key at a path, or undefined when there is no such key. */
export function schemaAt(root: Schema, path: readonly string[]): Schema | undefined {
  let schema: Schema | undefined = root;
  for (const name of path) schema = schema && childOf(schema, name);
  return schema;
}

/** Whether keys below this schema are fixed names (an object of the schema). */
export function hasFixedKeys(schema: Schema): boolean {
  return definition(unwrap(schema)).shape !== undefined;
}

/** The names of the keys directly below this schema, as far as the schema fixes them. */
export function fixedKeys(schema: Schema): string[] {
  return Object.keys(definition(unwrap(schema)).shape ?? {});
}

/** Whether any name may be put below this schema. */
export function isOpenMap(schema: Schema): boolean {
  const { type } = definition(unwrap(schema));
  return type === "record";
}

/** The deepest key on a path whose allowed values are described: its length, and the description. */
export function allowedAt(root: Schema, path: readonly string[]): { depth: number; allowed: string } {
  for (let depth = path.length; depth > 0; depth--) {
    const schema = schemaAt(root, path.slice(0, depth));
    const allowed = descriptionOf(schema);
    if (allowed !== undefined) return { depth, allowed };
    if (schema !== undefined && hasFixedKeys(schema)) return { depth, allowed: "a mapping" };
  }
  return { depth: 0, allowed: "a mapping" };
}

/** Every dotted key of the schema (mappings and leaves), and those below the open maps of a configuration. */
export function knownKeys(root: Schema, tree: Value | undefined = {}, prefix = ""): string[] {
  const { shape, valueType } = definition(unwrap(root));
  const below = isTree(tree) ? tree : {};
  const children = shape ??
    Object.fromEntries(valueType === undefined ? [] : Object.keys(below).map((k) => [k, valueType]));
  return Object.entries(children).flatMap(([name, schema]) => [
    `${prefix}${name}`,
    ...knownKeys(schema, below[name], `${prefix}${name}.`),
  ]);
}

function defaultOf(schema: Schema): Value | undefined {
  const { type, defaultValue } = definition(schema);
  if (type === "default") return structuredClone(defaultValue) as Value;
  return hasFixedKeys(schema) && type === "prefault" ? {} : undefined;
}

/** Adds the schema's defaults for missing keys, in place; they may hold interpolations. */
export function fillDefaults(root: Schema, tree: Tree): Tree {
  const { shape, valueType } = definition(unwrap(root));
  const children = shape ??
    Object.fromEntries(valueType === undefined ? [] : Object.keys(tree).map((k) => [k, valueType]));
  for (const [name, schema] of Object.entries(children)) {
    if (!Object.hasOwn(tree, name)) {
      const value = defaultOf(schema);
      if (value !== undefined) tree[name] = value;
    }
    const value = tree[name];
    if (isTree(value)) fillDefaults(schema, value);
  }
  return tree;
}

/** The words that a key takes, where they can be told: `true` and `false`, those of an enumeration, null. */
export function wordsOf(schema: Schema): string[] {
  const { type, entries, options, values } = definition(schema);
  if (type === "boolean") return ["true", "false"];
  if (type === "enum") return Object.values(entries!);
  if (type === "literal") return values!.map(String);
  if (type === "null") return ["null"];
  if (type === "union") return options!.flatMap(wordsOf);
  const next = inner(schema);
  const words = next === undefined ? [] : wordsOf(next);
  return type === "nullable" ? [...words, "null"] : words;
}
