/** What `predict` reads and writes: pairs with further fields, as JSON lines or CSV, from files of any length. */
import { extname } from "node:path";
import { EntailError } from "../errors.ts";
import { type CsvRow, formatCsv, parseCsv } from "../formats/csv.ts";
import { objectMembers, parseJson } from "../formats/json.ts";
import { readLines, readTextPieces } from "../formats/text.ts";

/** What a pair gets: two logits and a probability, or more; the prediction of models that have chosen thresholds. */
export type PairScore = { logits: readonly number[]; probability: number; prediction?: number };

const SCORE_COLUMNS = ["logits", "probability"] as const;

/** One record of the input. */
export interface TextRecord {
  post: string;
  criterion: string;
  /** The record as it is written: with its own fields, their text kept, and the score's after them. */
  withScore(score: PairScore): string;
}

export interface TextRecords {
  /** What stands before the first record of the output. */
  head: string;
  /** The records as they are read, once. */
  records: AsyncIterable<TextRecord>;
}

/**
 * Opens JSON lines or CSV: CSV where the name ends in `.csv`, or where stdin (`-`) does not begin with `{`. Data errors
 * name file and line; they come when the record at fault is read. `onRead` is told the bytes that have been read.
 * `predictions`: scores have one, for which CSV gets a column.
 */
export async function openTextPairs(
  input: string,
  { onRead, predictions = false }: { onRead?: (bytes: number) => void; predictions?: boolean } = {},
): Promise<TextRecords> {
  const added = predictions ? [...SCORE_COLUMNS, "prediction"] : SCORE_COLUMNS;
  const name = input === "-" ? "stdin" : input;
  const pieces = readTextPieces(input, onRead);
  if (input !== "-") {
    return extname(input).toLowerCase() === ".csv" ? await openRows(pieces, name, added) : openLines(pieces, name);
  }
  const start = await firstVisible(pieces);
  const all = chain(start, pieces);
  return /^\s*(\{|$)/.test(start) ? openLines(all, name) : await openRows(all, name, added);
}

/** The text up to the end of the piece that holds the first character that is no space. */
async function firstVisible(pieces: AsyncIterator<string>): Promise<string> {
  let start = "";
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
    start += next.value;
    if (/\S/.test(next.value)) break;
  }
  return start;
}

async function* chain(start: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield start;
  yield* rest;
}

const openLines = (pieces: AsyncIterable<string>, name: string): TextRecords => ({
  head: "",
  records: lineRecords(pieces, name),
});

/** JSON lines; empty ones are passed over. */
async function* lineRecords(pieces: AsyncIterable<string>, name: string): AsyncGenerator<TextRecord> {
  for await (const { line, text } of readLines(pieces, name)) {
    if (text.trim() !== "") yield lineRecord(text, name, line);
  }
}

function lineRecord(text: string, name: string, line: number): TextRecord {
  const object = parseJson(text, name, line) as Record<string, unknown> | null;
  if (typeof object !== "object" || object === null || Array.isArray(object)) {
    throw new EntailError("data", `${name}:${line}: expected an object {"post": …, "criterion": …}`);
  }
  const field = (key: string): string => {
    const value = object[key];
    if (typeof value === "string") return value;
    throw new EntailError("data", `${name}:${line}: "${key}" is missing or not a text`);
  };
  return {
    post: field("post"),
    criterion: field("criterion"),
    withScore(score) {
      const kept = objectMembers(text).filter(({ key }) => !Object.hasOwn(score, key)).map((member) => member.text);
      return `{${kept.join(",").trimEnd()},${JSON.stringify(score).slice(1)}\n`;
    },
  };
}

async function openRows(
  pieces: AsyncIterable<string>,
  name: string,
  added: readonly string[],
): Promise<TextRecords> {
  const { columns, rows } = await parseCsv(pieces, name, ["post", "criterion"]);
  const kept = columns.filter((column) => !added.includes(column));
  return { head: formatCsv([[...kept, ...added]]), records: rowRecords(rows, kept) };
}

/** CSV with a header; logits become a JSON list in a column. */
async function* rowRecords(rows: AsyncIterable<CsvRow>, kept: readonly string[]): AsyncGenerator<TextRecord> {
  for await (const { values } of rows) {
    const { post, criterion } = values;
    const withScore = ({ logits, probability, prediction }: PairScore): string => {
      const score = [JSON.stringify(logits), probability, ...(prediction === undefined ? [] : [prediction])];
      return formatCsv([[...kept.map((column) => values[column]), ...score]]);
    };
    yield { post, criterion, withScore };
  }
}

/** The records in groups that are scored and written together: of at most so many, and of about so many characters. */
export async function* recordWindows(
  records: AsyncIterable<TextRecord>,
  { most, characters }: { most: number; characters: number },
): AsyncGenerator<TextRecord[]> {
  let window: TextRecord[] = [];
  let length = 0;
  for await (const record of records) {
    window.push(record);
    length += record.post.length + record.criterion.length;
    if (window.length < most && length < characters) continue;
    yield window;
    window = [];
    length = 0;
  }
  if (window.length > 0) yield window;
}
