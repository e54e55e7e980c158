/**
 * The override grammar of Hydra 1.3 (hydra/grammar/OverrideLexer.g4 and OverrideParser.g4). Of its functions it has those
 * that name the values of a sweep one by one: `choice`, `range` and `glob`. One extension: characters for which Hydra's lexer has no rule
 * (such as `é`, `#` or `!`) stand for themselves, and `${…}` may nest, so that ordinary paths need no quotes.
 */
import { EntailError } from "../errors.ts";
import { inShort } from "../formats/human.ts";
import { MAX_DEPTH, type Tree, type Value } from "./tree.ts";

/** What an override does with its key: `key=`, `+key=`, `++key=` or `~key`. */
export type OverrideKind = "change" | "add" | "force" | "delete";

/** One parsed command-line override. */
export interface Override {
  kind: OverrideKind;
  /** A dotted configuration key, or a group name (may contain `/`). */
  key: string;
  /** The value; `undefined` only for `~key`. */
  value: Value | undefined;
  /** The override as it was typed, as messages quote it. */
  text: string;
}

/** What a sweep goes through: values as they would be typed one at a time, or those options of a group. */
export type Sweep = { kind: "values"; values: string[] } | { kind: "glob"; include: string[]; exclude: string[] };

/** An override that may stand for several. */
export type SweepOverride = Override & {
  /** Absent where there is one value. */
  sweep?: Sweep;
};

type TokenKind =
  | "("
  | ")"
  | "["
  | "]"
  | "{"
  | "}"
  | ","
  | ":"
  | "="
  | "float"
  | "int"
  | "bool"
  | "null"
  | "char"
  | "id"
  | "escape"
  | "space"
  | "quoted"
  | "interpolation";

interface Token {
  kind: TokenKind;
  text: string;
}

const UNSIGNED = "(?:0|[1-9](?:_?[0-9])*)";
const POINT = `(?:${UNSIGNED}?\\.[0-9](?:_?[0-9])*|${UNSIGNED}\\.)`;
const EXPONENT = `(?:(?:${POINT}|${UNSIGNED})[eE][+-]?[0-9](?:_?[0-9])*)`;

/** In the grammar's order: the longest match wins, the earlier rule among equals. */
const RULES: [TokenKind, RegExp][] = [
  ["(", /[ \t]*\([ \t]*/y],
  [",", /[ \t]*,[ \t]*/y],
  [")", /[ \t]*\)/y],
  ["[", /\[[ \t]*/y],
  ["]", /[ \t]*\]/y],
  ["{", /\{[ \t]*/y],
  ["}", /[ \t]*\}/y],
  [":", /[ \t]*:[ \t]*/y],
  ["=", /[ \t]*=[ \t]*/y],
  ["float", new RegExp(`[+-]?(?:${EXPONENT}|${POINT}|[Ii][Nn][Ff]|[Nn][Aa][Nn])`, "y")],
  ["int", new RegExp(`[+-]?${UNSIGNED}`, "y")],
  ["bool", /true|false/iy],
  ["null", /null/iy],
  ["char", /[/\-\\+.$%*@?|]/y],
  ["id", /[A-Za-z_][A-Za-z0-9_-]*/y],
  ["escape", /(?:\\[\\()[\]{}:=, \t])+/y],
  ["space", /[ \t]+/y],
  ["quoted", /"(?:(?:\\\\)*|[^]*?[^\\](?:\\\\)*)"|'(?:(?:\\\\)*|[^]*?[^\\](?:\\\\)*)'/y],
];

/** The position after the `}` that closes the `${` at `start`, or -1. */
function interpolationEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at + 1;
  }
  return -1;
}

function tokenize(text: string, fail: (reason: string) => never): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    let best: Token | undefined;
    if (text.startsWith("${", at)) {
      const end = interpolationEnd(text, at + 1);
      if (end < 0) fail("an interpolation `${` is not closed");
      best = { kind: "interpolation", text: text.slice(at, end) };
    } else {
      for (const [kind, rule] of RULES) {
        rule.lastIndex = at;
        const match = rule.exec(text)?.[0];
        if (match !== undefined && match.length > (best?.text.length ?? 0)) best = { kind, text: match };
      }
    }
    if (best === undefined) {
      const character = String.fromCodePoint(text.codePointAt(at)!);
      if (character === '"' || character === "'") fail(`the quote ${character} is not closed`);
      best = { kind: "char", text: character };
    }
    tokens.push(best);
    at += best.text.length;
  }
  return tokens;
}

/** Strips the quotes; a backslash counts as an escape only in front of a quote, as in Hydra. */
function unquote(text: string): string {
  const quote = text[0];
  const body = text.slice(1);
  const unescaped = body.replace(new RegExp(`\\\\+${quote}`, "g"), (run) => {
    let kept = "";
    for (let at = 1; at < run.length; at += 2) kept += run[at];
    return kept;
  });
  // An even run of backslashes before the closing quote has swallowed that quote already.
  return /\\$/.test(body.slice(0, -1)) ? unescaped : unescaped.slice(0, -1);
}

const WORD_KINDS: ReadonlySet<TokenKind> = new Set([
  "id",
  "null",
  "int",
  "float",
  "bool",
  "interpolation",
  "char",
  ":",
  "escape",
  "space",
]);

function toFloat(text: string): number {
  const bare = text.replaceAll("_", "").toLowerCase();
  if (bare.endsWith("nan")) return NaN;
  if (bare.endsWith("inf")) return bare.startsWith("-") ? -Infinity : Infinity;
  return Number(bare);
}

function unescape(text: string): string {
  let kept = "";
  for (let at = 1; at < text.length; at += 2) kept += text[at];
  return kept;
}

/** A run of tokens without structure: one token keeps its type, several make a string. */
function primitive(run: Token[], fail: (reason: string) => never): Value {
  const first = run[0].kind === "space" ? 1 : 0;
  const last = run.length > 1 && run[run.length - 1].kind === "space" ? run.length - 1 : run.length;
  const words = run.slice(first, last);
  if (words.length === 0) fail("a value of spaces only needs quotes");
  if (words.length > 1) {
    return words.map((token) => token.kind === "escape" ? unescape(token.text) : token.text).join("");
  }
  const { kind, text } = words[0];
  switch (kind) {
    case "int":
    case "float":
      return toFloat(text);
    case "bool":
      return text.toLowerCase() === "true";
    case "null":
      return null;
    case "escape":
      return unescape(text);
    default:
      return text;
  }
}

/** Recursive descent over the tokens behind the `=`. */
function parseTokens(tokens: Token[], fail: (reason: string) => never): { value: Value; sweep?: Sweep } {
  let at = 0;
  let depth = 0;
  const peek = () => tokens[at]?.kind;
  const unexpected = (): never =>
    at < tokens.length
      ? fail(`unexpected "${inShort(tokens[at].text.trim())}"; put a value with special characters in quotes`)
      : fail("the value ends too early");

  function nested<Result>(parse: () => Result): Result {
    if (++depth > MAX_DEPTH) fail(`lists and mappings nest deeper than ${MAX_DEPTH}`);
    const value = parse();
    depth--;
    return value;
  }

  function element(): Value {
    switch (peek()) {
      case "[":
        return nested(list);
      case "{":
        return nested(dict);
      case "quoted":
        return unquote(tokens[at++].text);
    }
    const start = at;
    while (at < tokens.length && WORD_KINDS.has(tokens[at].kind)) at++;
    if (at === start) unexpected();
    if (peek() === "(") {
      fail(`"${inShort(tokens[at - 1].text)}(…)" looks like a function of a sweep; put the value in quotes`);
    }
    return primitive(tokens.slice(start, at), fail);
  }

  /** An element as it was typed. */
  function typed(): string {
    const start = at;
    element();
    return tokens.slice(start, at).map(({ text }) => text).join("").trim();
  }

  function typedUntil(end: TokenKind | undefined): string[] {
    const values = [typed()];
    while (peek() === ",") {
      at++;
      values.push(typed());
    }
    if (peek() !== end) unexpected();
    return values;
  }

  /** Arguments by name, those without one by `names` in order. */
  function namedArguments(names: readonly string[]): Map<string, Value> {
    const given = new Map<string, Value>();
    while (true) {
      const isNamed = tokens[at + 1]?.kind === "=";
      const name = isNamed ? tokens[at].text : names[given.size];
      if (!names.includes(name) || given.has(name)) fail(`a sweep takes ${names.join(", ")}, each once`);
      if (isNamed) at += 2;
      given.set(name, element());
      if (peek() !== ",") break;
      at++;
    }
    if (peek() !== ")") unexpected();
    return given;
  }

  function sweepFunction(name: string): Sweep {
    at += 2;
    let sweep: Sweep;
    if (name === "choice") sweep = { kind: "values", values: typedUntil(")") };
    else if (name === "range") {
      sweep = { kind: "values", values: rangeOf(namedArguments(["start", "stop", "step"]), fail) };
    } else {
      const { include = "*", exclude = [] } = Object.fromEntries(namedArguments(["include", "exclude"]));
      sweep = { kind: "glob", include: [include].flat().map(String), exclude: [exclude].flat().map(String) };
    }
    at++;
    return sweep;
  }

  function list(): Value[] {
    at++;
    const items: Value[] = [];
    if (peek() !== "]") {
      items.push(element());
      while (peek() === ",") {
        at++;
        items.push(element());
      }
    }
    if (peek() !== "]") unexpected();
    at++;
    return items;
  }

  function dict(): Tree {
    at++;
    const entries: [string, Value][] = [];
    while (peek() !== "}") {
      const start = at;
      while (at < tokens.length && WORD_KINDS.has(tokens[at].kind) && peek() !== ":" && peek() !== "interpolation") {
        at++;
      }
      if (at === start || peek() !== ":") unexpected();
      const key = String(primitive(tokens.slice(start, at), fail));
      at++;
      entries.push([key, element()]);
      if (peek() === ",") {
        at++;
        if (peek() === "}") unexpected();
      } else if (peek() !== "}") unexpected();
    }
    at++;
    return Object.fromEntries(entries);
  }

  const name = tokens[0].text;
  if (tokens[1]?.kind === "(" && SWEEPS.has(name)) {
    const sweep = sweepFunction(name);
    if (at < tokens.length) unexpected();
    return { value: null, sweep };
  }
  const value = element();
  if (peek() !== ",") {
    if (at < tokens.length) unexpected();
    return { value };
  }
  at = 0;
  return { value: null, sweep: { kind: "values", values: typedUntil(undefined) } };
}

/** Functions that name the values of a sweep. */
const SWEEPS: ReadonlySet<string> = new Set(["choice", "range", "glob"]);

/** More values are a mistake, and each would be a training. */
const MOST_VALUES = 10_000;

/** `range(stop)`, `range(start, stop)` or `range(start, stop, step)`, exact in decimals as Hydra's is. */
function rangeOf(given: Map<string, Value>, fail: (reason: string) => never): string[] {
  if (given.size === 1 && given.has("start")) given = new Map([["stop", given.get("start")!]]);
  const bounds = [given.get("start") ?? 0, given.get("stop"), given.get("step") ?? 1];
  if (!bounds.every((bound) => typeof bound === "number" && Number.isFinite(bound)) || bounds[2] === 0) {
    fail("range takes numbers: range(stop), range(start,stop) or range(start,stop,step), and a step that is not 0");
  }
  const decimals = Math.max(...bounds.map((bound) => decimalsOf(bound as number)));
  const [start, stop, step] = bounds.map((bound) => Math.round(bound as number * 10 ** decimals));
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (count === 0 || count > MOST_VALUES) fail(`range has ${count} values; a sweep has 1 to ${MOST_VALUES}`);
  return Array.from({ length: count }, (_, i) => `${Number(((start + i * step) / 10 ** decimals).toFixed(decimals))}`);
}

function decimalsOf(value: number): number {
  const [mantissa, exponent = "0"] = `${value}`.split("e");
  return Math.max(0, (mantissa.split(".")[1]?.length ?? 0) - Number(exponent));
}

const KEY = /^[A-Za-z0-9_$-]+(?:[./][A-Za-z0-9_$-]+)*$/;

function failing(text: string): (reason: string) => never {
  return (reason) => {
    throw new EntailError("usage", `override "${text}": ${reason}`);
  };
}

/** Parses one override of one value. Throws a usage `EntailError` that names the override and the reason. */
export function parseOverride(text: string): Override {
  const { sweep, ...override } = parseSweepOverride(text);
  if (sweep === undefined) return override;
  return failing(override.text)(
    "several values are a sweep; add -m to train each of them, write a list as [a,b], or put a text with commas in quotes",
  );
}

/** The same, of any number of values. */
export function parseSweepOverride(override: string): SweepOverride {
  const text = inShort(override);
  const fail = failing(text);
  const match = /^(~|\+\+|\+|)([^=]*)(=[^]*)?$/.exec(override)!;
  const [, prefix, key, assignment] = match;
  if (!KEY.test(key)) {
    if (key === "") fail("the key before `=` is missing");
    if (key.includes("@")) fail("packages (group@package) are not supported");
    fail(assignment === undefined ? "write key=value" : `"${inShort(key)}" is not a configuration key`);
  }
  const kind: OverrideKind = prefix === "~" ? "delete" : prefix === "++" ? "force" : prefix === "+" ? "add" : "change";
  if (assignment === undefined) {
    if (kind !== "delete") fail("write key=value");
    return { kind, key, value: undefined, text };
  }
  const raw = assignment.slice(1).replace(/^[ \t]+/, "");
  if (raw === "") return { kind, key, value: "", text };
  const parsed = parseTokens(tokenize(raw, fail), fail);
  if (parsed.sweep && kind === "delete") fail("what is taken out cannot be swept");
  return { kind, key, text, ...parsed };
}
