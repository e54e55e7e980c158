/** Plain configuration trees, as they come from YAML, before they are checked. */
import { EntailError } from "../errors.ts";

/** The deepest that lists and mappings nest; far more than any configuration does. */
export const MAX_DEPTH = 100;

/** A value of a configuration file. */
export type Value = null | boolean | number | string | Value[] | Tree;

/** A mapping of a configuration file. */
export interface Tree {
  [key: string]: Value;
}

/** Whether the value is a mapping. */
export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether lists and mappings nest deeper than they may, as those that hold themselves do. */
export function isTooDeep(value: Value, left = MAX_DEPTH): boolean {
  if (typeof value !== "object" || value === null) return false;
  return left === 0 || Object.values(value).some((child) => isTooDeep(child, left - 1));
}

/** Merges `source` into `target` as Hydra does: mappings key by key, everything else (lists too) replaced. */
export function mergeInto(target: Tree, source: Tree): Tree {
  for (const [key, value] of Object.entries(source)) {
    if (key === "__proto__") throw new EntailError("usage", `"__proto__" cannot be a configuration key`);
    const old = Object.hasOwn(target, key) ? target[key] : undefined;
    if (isTree(value)) target[key] = mergeInto(isTree(old) ? old : {}, value);
    else target[key] = structuredClone(value);
  }
  return target;
}

/**
 * Splits a dotted key along a tree. A name that itself contains dots (a search-space entry called
 * `training.learning_rate`) is found where the tree has it; otherwise every dot separates.
 */
export function splitKey(tree: Tree, key: string): string[] {
  const names = key.split(".");
  const path: string[] = [];
  let node: Value | undefined = tree;
  for (let at = 0; at < names.length;) {
    let taken = 1;
    if (isTree(node)) {
      for (let count = Math.min(names.length - at, MAX_DEPTH); count > 1; count--) {
        if (Object.hasOwn(node, names.slice(at, at + count).join("."))) {
          taken = count;
          break;
        }
      }
    }
    const name = names.slice(at, at + taken).join(".");
    path.push(name);
    node = child(node, name);
    at += taken;
  }
  return path;
}

function child(node: Value | undefined, name: string): Value | undefined {
  if (Array.isArray(node)) return node[Number(name)];
  return isTree(node) && Object.hasOwn(node, name) ? node[name] : undefined;
}

/** The value at a path, or `undefined`. */
export function valueAt(tree: Tree, path: readonly string[]): Value | undefined {
  let node: Value | undefined = tree;
  for (const name of path) node = child(node, name);
  return node;
}

/** Puts a value at a path, making the mappings on the way; a mapping is merged into a mapping. */
export function putAt(tree: Tree, path: readonly string[], value: Value): void {
  if (path.length > MAX_DEPTH) {
    throw new EntailError("usage", `a key has at most ${MAX_DEPTH} names, not ${path.length}`);
  }
  const list = path.length > 1 ? valueAt(tree, path.slice(0, -1)) : undefined;
  if (Array.isArray(list)) list[Number(path[path.length - 1])] = value;
  else mergeInto(tree, path.reduceRight<Value>((inner, name) => ({ [name]: inner }), value) as Tree);
}

/** Removes the value at a path. */
export function removeAt(tree: Tree, path: readonly string[]): void {
  const parent = valueAt(tree, path.slice(0, -1));
  if (isTree(parent)) delete parent[path[path.length - 1]];
}

/** All leaves with their dotted keys, in order; empty mappings count as leaves. */
export function leavesOf(tree: Tree, prefix = ""): [string, Value][] {
  return Object.entries(tree).flatMap(([name, value]) =>
    isTree(value) && Object.keys(value).length > 0
      ? leavesOf(value, `${prefix}${name}.`)
      : [[`${prefix}${name}`, value] as [string, Value]]
  );
}

/** A copy with every text changed. */
export function mapTexts(value: Value, change: (text: string) => string): Value {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change));
  if (!isTree(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, mapTexts(child, change)]));
}

/** A copy whose texts survive interpolation unchanged: `${` becomes `\${`. */
export const withoutInterpolation = (value: Value): Value => mapTexts(value, (text) => text.replaceAll("${", "\\${"));
