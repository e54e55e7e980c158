/** What `predict` reads and writes: pairs with further fields, as JSON lines or CSV, from files of any length. */
import { extname } from "node:path";
import { EntailError } from "../errors.ts";
import { type CsvRow, formatCsv, parseCsv } from "../formats/csv.ts";
import { objectMembers, parseJson } from "../formats/json.ts";
import { readLines, readTextPieces } from "../formats/text.ts";

/** What a pair gets: two logits and a probability, or more. */
export type PairScore = { logits: readonly number[]; probability: number; chunks?: number };

/** The columns of a score in CSV; `chunks` where posts are read in chunks. */
const SCORE_COLUMNS = ["logits", "probability", "chunks"] as const;

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
 * name file and line; they come when the record at fault is read. `inChunks`: scores tell the number of chunks. `onRead`
 * is told the bytes that have been read.
 */
export async function openTextPairs(
  input: string,
  { inChunks = false, onRead }: { inChunks?: boolean; onRead?: (bytes: number) => void } = {},
): Promise<TextRecords> {
  const name = input === "-" ? "stdin" : input;
  const pieces = readTextPieces(input, onRead);
  if (input !== "-") {
    return extname(input).toLowerCase() === ".csv" ? await openRows(pieces, name, inChunks) : openLines(pieces, name);
  }
  const start = await firstVisible(pieces);
  const all = chain(start, pieces);
  return /^\s*(\{|$)/.test(start) ? openLines(all, name) : await openRows(all, name, inChunks);
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

async function openRows(pieces: AsyncIterable<string>, name: string, inChunks: boolean): Promise<TextRecords> {
  const { columns, rows } = await parseCsv(pieces, name, ["post", "criterion"]);
  const added = inChunks ? SCORE_COLUMNS : SCORE_COLUMNS.slice(0, 2);
  const kept = columns.filter((column) => !(added as readonly string[]).includes(column));
  return { head: formatCsv([[...kept, ...added]]), records: rowRecords(rows, kept) };
}

/** CSV with a header; logits become a JSON list in a column. */
async function* rowRecords(rows: AsyncIterable<CsvRow>, kept: readonly string[]): AsyncGenerator<TextRecord> {
  for await (const { values } of rows) {
    const { post, criterion } = values;
    const withScore = ({ logits, probability, chunks }: PairScore): string => {
      const score = [JSON.stringify(logits), probability, ...(chunks === undefined ? [] : [chunks])];
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
