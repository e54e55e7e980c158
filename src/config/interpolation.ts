/**
 * OmegaConf's interpolations: `${key}`, `${.sibling}`, `${..of_the_parent}`, `${list[0]}`, nested ones,
 * `${oc.env:NAME}`, `${oc.env:NAME,default}`, and `\${` for a literal `${`. One resolver of our own:
 * `${entail:project}`, the folder that holds `configs/` and `data/demo/` (in a compiled binary, the embedded one).
 */
import { fileURLToPath } from "node:url";
import { EntailError } from "../errors.ts";
import { inShort } from "../formats/human.ts";
import { nearest } from "./nearest.ts";
import { isTree, leavesOf, MAX_DEPTH, splitKey, type Tree, type Value, valueAt } from "./tree.ts";

const PROJECT_FOLDER = new URL("../../", import.meta.url);

/** How much a few lines of references may ask for: characters in a text, values in the configuration. */
const LONGEST_TEXT = 1_000_000;
const MOST_VALUES = 100_000;

function usage(key: string, reason: string): never {
  throw new EntailError("usage", `"${key}": ${reason}`);
}

/** Splits resolver arguments at the commas that are outside quotes and nested interpolations. */
function splitArguments(text: string): string[] {
  const parts = [""];
  let quote = "";
  let depth = 0;
  for (const character of text) {
    if (quote !== "") quote = character === quote ? "" : quote;
    else if ((character === '"' || character === "'") && parts[parts.length - 1].trim() === "") quote = character;
    else if (character === "{") depth++;
    else if (character === "}") depth--;
    else if (character === "," && depth === 0) {
      parts.push("");
      continue;
    }
    parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim());
}

/** The index of the `}` that closes an interpolation whose content starts at `start`, or -1. */
function closingBrace(text: string, start: number): number {
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    if (text[at] === "{" && ++depth > MAX_DEPTH) return -1;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  return -1;
}

/** How many values a value is made of, itself included. */
function size(value: Value): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce<number>((sum, child) => sum + size(child), 1);
}

/**
 * Replaces every interpolation in a tree by its value; a value that is one single interpolation keeps the type of
 * what it names. Throws a usage `EntailError` for unknown keys, unset variables and cycles (the keys of the circle are
 * named).
 */
export function resolveInterpolations(root: Tree): Tree {
  const done = new Map<string, Value>();
  let values = 0;

  function resolveValue(value: Value, path: string[], open: string[]): Value {
    if (typeof value === "string") return value.includes("${") ? resolveText(value, path, open) : value;
    if (Array.isArray(value)) return value.map((item, index) => resolveValue(item, [...path, `${index}`], open));
    if (!isTree(value)) return value;
    return Object.fromEntries(Object.keys(value).map((name) => [name, resolvePath([...path, name], open)]));
  }

  function resolvePath(path: string[], open: string[]): Value {
    const key = path.join(".");
    const finished = done.get(key);
    if (finished !== undefined) {
      values += size(finished);
      if (values > MOST_VALUES) usage(key, `interpolations make more than ${MOST_VALUES} values`);
      return structuredClone(finished);
    }
    const start = open.indexOf(key);
    if (start >= 0) usage(key, `interpolation cycle: ${inShort([...open.slice(start), key].join(" -> "))}`);
    if (open.length > MAX_DEPTH) usage(key, `nested, or led on by interpolations, through more than ${MAX_DEPTH} keys`);
    const value = resolveValue(valueAt(root, path)!, path, [...open, key]);
    done.set(key, value);
    return value;
  }

  function resolveText(text: string, path: string[], open: string[]): Value {
    const key = path.join(".");
    const parts: Value[] = [];
    let literal = "";
    for (let at = 0; at < text.length;) {
      if (text.startsWith("\\${", at)) {
        literal += "${";
        at += 3;
      } else if (text.startsWith("${", at)) {
        const end = closingBrace(text, at + 2);
        if (end < 0) usage(key, `an interpolation is not closed, or nested too deep, in "${inShort(text)}"`);
        if (literal !== "") parts.push(literal);
        literal = "";
        parts.push(resolveExpression(text.slice(at + 2, end).trim(), path, open));
        at = end + 1;
      } else literal += text[at++];
    }
    if (literal !== "" || parts.length === 0) parts.push(literal);
    if (parts.length === 1) return parts[0];
    const texts = parts.map((part) =>
      typeof part === "object" && part !== null
        ? usage(key, `"${inShort(text)}" puts a mapping or list into a text`)
        : `${part}`
    );
    const length = texts.reduce((sum, part) => sum + part.length, 0);
    if (length > LONGEST_TEXT) usage(key, `interpolations make a text of more than ${LONGEST_TEXT} characters`);
    return texts.join("");
  }

  function resolveExpression(expression: string, path: string[], open: string[]): Value {
    const resolver = /^([A-Za-z_][\w.]*):([^]*)$/.exec(expression);
    if (resolver !== null) return callResolver(resolver[1], resolver[2], path, open);
    const inner = expression.includes("${") ? `${resolveText(expression, path, open)}` : expression;
    return lookUp(inner, path, open);
  }

  function lookUp(reference: string, path: string[], open: string[]): Value {
    const key = path.join(".");
    const dots = /^\.*/.exec(reference)![0].length;
    if (dots > path.length) usage(key, `interpolation "${inShort(reference)}" leaves the configuration`);
    const base = dots === 0 ? [] : path.slice(0, path.length - dots);
    const name = reference.slice(dots).replace(/\[([^\]]*)\]/g, ".$1");
    const full = [...base, name].join(".");
    const target = name === "" ? undefined : splitKey(root, full);
    if (target === undefined || valueAt(root, target) === undefined) {
      const known = nearest(full, leavesOf(root).map(([leaf]) => leaf));
      usage(key, `interpolation key "${inShort(full)}" not found; did you mean "${known}"?`);
    }
    return resolvePath(target, open);
  }

  function callResolver(name: string, text: string, path: string[], open: string[]): Value {
    const key = path.join(".");
    const args = splitArguments(text).map((part): Value => {
      if (/^(["']).*\1$/s.test(part) && part.length > 1) return part.slice(1, -1);
      if (part.toLowerCase() === "null") return null;
      return part.includes("${") ? resolveText(part, path, open) : part;
    });
    if (name === "oc.env" && args.length <= 2 && typeof args[0] === "string" && args[0] !== "") {
      // No variable's name has these characters, and the system takes them for a mistake.
      const found = (/[=\0]/.test(args[0]) ? undefined : Deno.env.get(args[0])) ?? args[1];
      if (found === undefined) usage(key, `environment variable ${inShort(args[0])} is not set and has no default`);
      return found === null ? null : `${found}`;
    }
    if (name === "entail" && args.length === 1 && args[0] === "project") {
      return fileURLToPath(PROJECT_FOLDER).replace(/[/\\]$/, "");
    }
    return usage(
      key,
      `unknown resolver "\${${inShort(`${name}:${text}`)}}"; known are \${oc.env:NAME,default} and \${entail:project}`,
    );
  }

  return resolveValue(root, [], []) as Tree;
}
