import { EntailError } from "../errors.ts";
import { lineAndColumn, readText } from "./text.ts";

/** Reads and parses a JSON file; a data error names file, line and column. */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(await readText(path), path);
}

/** Parses JSON; `name` stands for the source in the data error, which has line and column. */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 leaves the position out of some of its messages, so it is found again here.
    const { index, expected } = firstError(text);
    const { line, column } = lineAndColumn(text, index);
    throw new EntailError("data", `${name}:${line}:${column}: not valid JSON, expected ${expected}`, { cause: error });
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
  // deno-lint-ignore no-control-regex
  const string = /"([^"\\\u0000-\u001f]|\\(["\\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
  const word = /true|false|null/y;
  let index = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = index;
    const match = pattern.exec(text);
    if (match) index = pattern.lastIndex;
    return match !== null;
  };
  const takeString = (): Expectation | undefined => {
    take(string);
    if (text[index] !== '"') return { index, expected: "a closing quote or a valid character" };
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
