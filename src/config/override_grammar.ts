/**
 * The override grammar of Hydra 1.3 (hydra/grammar/OverrideLexer.g4 and OverrideParser.g4), without sweeps and
 * functions, which have no meaning for a single run. One extension: characters for which Hydra's lexer has no rule
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

/** Recursive descent over the tokens of one value. */
function parseTokens(tokens: Token[], fail: (reason: string) => never): Value {
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

  const value = element();
  if (peek() === ",") fail("several values are a sweep; write a list as [a,b], or put a text with commas in quotes");
  if (at < tokens.length) unexpected();
  return value;
}

const KEY = /^[A-Za-z0-9_$-]+(?:[./][A-Za-z0-9_$-]+)*$/;

/** Parses one override. Throws a usage `EntailError` that names the override and the reason. */
export function parseOverride(override: string): Override {
  const text = inShort(override);
  const fail = (reason: string): never => {
    throw new EntailError("usage", `override "${text}": ${reason}`);
  };
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
  return { kind, key, value: raw === "" ? "" : parseTokens(tokenize(raw, fail), fail), text };
}
