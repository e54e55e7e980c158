import { EntailError } from "../errors.ts";
import { lineAndColumn, readText } from "./text.ts";

/** Reads and parses a JSON file; a data error names file, line and column. */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(await readText(path), path);
}

/** Deeper nesting is refused: no file needs it, and functions that call themselves on it would overflow. */
const MAX_DEPTH = 1000;

/**
 * Parses JSON; `name` stands for the source in the data error, which has line and column. The text begins on
 * `firstLine` of the source.
 */
export function parseJson(text: string, name: string, firstLine = 1): unknown {
  const fail = (index: number, reason: string, cause?: unknown): never => {
    const { line, column } = lineAndColumn(text, index);
    throw new EntailError("data", `${name}:${firstLine + line - 1}:${column}: ${reason}`, { cause });
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8 leaves the position out of some of its messages, so it is found again here.
    const { index, expected } = firstError(text);
    fail(index, `not valid JSON, expected ${expected}`, error);
  }
  const tooDeep = firstDeeper(text, MAX_DEPTH);
  if (tooDeep !== undefined) fail(tooDeep, `nested more than ${MAX_DEPTH} levels deep`);
  return value;
}

/** A member of an object as its text has it, with the space around: ` "key": value `. */
export interface JsonMember {
  key: string;
  text: string;
}

/** The members of an object, in order, repeated keys too. The text must be valid JSON. */
export function objectMembers(text: string): JsonMember[] {
  const members: JsonMember[] = [];
  let key: string | undefined;
  let start = 0;
  for (const { index, end, depth } of tokens(text)) {
    if (depth > 1) continue;
    if (text[index] === "{") start = end;
    else if (text[index] === '"') key ??= JSON.parse(text.slice(index, end)) as string;
    else if (key !== undefined) {
      members.push({ key, text: text.slice(start, index) });
      key = undefined;
      start = end;
    }
  }
  return members;
}

/** The first bracket that is nested more than `levels` deep. The text must be valid JSON. */
function firstDeeper(text: string, levels: number): number | undefined {
  if (text.length <= 2 * levels) return undefined;
  for (const { index, depth } of tokens(text)) if (depth > levels) return index;
}

/** The strings, brackets and commas of valid JSON, with the number of brackets around them (a bracket's own too). */
function* tokens(text: string): Generator<{ index: number; end: number; depth: number }> {
  const next = /["{}[\],]/g;
  let depth = 0;
  for (let match = next.exec(text); match; match = next.exec(text)) {
    const { index } = match;
    const [unit] = match;
    if (unit === '"') next.lastIndex = endOfString(text, index);
    if (unit === "{" || unit === "[") depth++;
    yield { index, end: next.lastIndex, depth };
    if (unit === "}" || unit === "]") depth--;
  }
}

/** Where the string that begins at `start` has ended. The text must be valid JSON. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1);; quote = text.indexOf('"', quote + 1)) {
    let slashes = 0;
    while (text[quote - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return quote + 1;
  }
}

interface Expectation {
  index: number;
  expected: string;
}

/** The first place where `text` stops being JSON (RFC 8259). */
function firstError(text: string): Expectation {
  const space = /[ \t\n\r]*/y;
  const number = /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
  const escape = /\\(["\\\/bfnrt]|u[0-9a-fA-F]{4})/y;
  const word = /true|false|null/y;
  let index = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = index;
    const match = pattern.exec(text);
    if (match) index = pattern.lastIndex;
    return match !== null;
  };
  const takeString = (): Expectation | undefined => {
    index++;
    // Unit by unit: a pattern would overflow on a long string.
    while (text[index] !== '"') {
      const isPlain = text[index] >= " " && text[index] !== "\\";
      if (isPlain) index++;
      else if (!take(escape)) return { index, expected: "a closing quote or a valid character" };
    }
    index++;
  };
  // The open brackets; a stack instead of recursion, so that deep nesting cannot overflow.
  const open: string[] = [];
  for (;;) {
    take(space);
    if (text[index] === "{" || text[index] === "[") {
      const bracket = text[index++];
      take(space);
      if (text[index] === (bracket === "{" ? "}" : "]")) index++;
      else {
        open.push(bracket);
        const failure = bracket === "{" ? takeKey() : undefined;
        if (failure) return failure;
        continue;
      }
    } else if (text[index] === '"') {
      const failure = takeString();
      if (failure) return failure;
    } else if (!take(number) && !take(word)) {
      return { index, expected: "a value" };
    }
    for (;;) {
      take(space);
      const bracket = open.at(-1);
      if (bracket === undefined) return { index, expected: "the end of the file" };
      if (text[index] === ",") {
        index++;
        const failure = bracket === "{" ? takeKey() : undefined;
        if (failure) return failure;
        break;
      }
      if (text[index] !== (bracket === "{" ? "}" : "]")) {
        return { index, expected: bracket === "{" ? '"," or "}"' : '"," or "]"' };
      }
      index++;
      open.pop();
    }
  }

  function takeKey(): Expectation | undefined {
    take(space);
    if (text[index] !== '"') return { index, expected: "a key in double quotes" };
    const failure = takeString();
    if (failure) return failure;
    take(space);
    if (text[index] !== ":") return { index, expected: '":"' };
    index++;
  }
}
