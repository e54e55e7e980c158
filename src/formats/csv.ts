import { CsvError, parse } from "../packages/csv_parse.ts";
import { stringify } from "../packages/csv_stringify.ts";
import { closest } from "../packages/fastest_levenshtein.ts";
import { EntailError } from "../errors.ts";
import { lineAndColumn, LONGEST_TEXT, readTextPieces } from "./text.ts";

/** One record under its header. */
export interface CsvRow {
  /** The line, from 1, on which the record begins. */
  line: number;
  /** Its fields by column name. */
  values: Record<string, string>;
  /** `file:line:column` of a field, for error messages. */
  at(column: string): string;
}

/** A CSV file (RFC 4180) with a header. Its rows come as they are read, once. */
export interface CsvTable {
  columns: string[];
  rows: AsyncIterable<CsvRow>;
}

/** A record before it has a header. */
interface CsvRecord {
  line: number;
  fields: string[];
  /** `line:column` of a field. */
  at(field: number): string;
}

/** Records that stand together in a piece of the text. */
interface Stretch {
  text: string;
  /** Where each begins: its place in `text` and its line in the file. */
  offsets: number[];
  lines: number[];
}

/** UTF-16 units that are parsed at a time. */
const STRETCH = 1 << 20;

/** Reads a CSV file, see `parseCsv`. */
export function readCsv(path: string, requiredColumns: readonly string[]): Promise<CsvTable> {
  return parseCsv(readTextPieces(path), path, requiredColumns);
}

/**
 * Parses CSV text with a header, which may come in pieces: quoted line breaks, LF or CR LF (also mixed); empty lines
 * are skipped. Data error, with file, line and column, for broken quoting, records of another length, missing or
 * repeated columns; the rows before the fault come before the error.
 */
export async function parseCsv(
  pieces: AsyncIterable<string> | Iterable<string>,
  path: string,
  requiredColumns: readonly string[],
): Promise<CsvTable> {
  const records = parseRecords(pieces, path);
  const header = (await records.next()).value;
  if (header === undefined) {
    const expected = requiredColumns.length === 0 ? "a header" : `the columns ${requiredColumns.join(",")}`;
    throw new EntailError("data", `${path}: is empty, expected ${expected}`);
  }
  const columns = header.fields;
  checkColumns(columns, path, requiredColumns);
  return { columns, rows: toRows(records, columns, path) };
}

async function* toRows(records: AsyncIterable<CsvRecord>, columns: string[], path: string): AsyncGenerator<CsvRow> {
  for await (const { line, fields, at } of records) {
    if (fields.length !== columns.length) {
      const reason = `wrong number of fields, expect ${columns.length}, got ${fields.length}`;
      throw new EntailError("data", `${path}:${at(0)}: ${reason}`);
    }
    const values: Record<string, string> = Object.create(null);
    for (let c = 0; c < columns.length; c++) values[columns[c]] = fields[c];
    yield { line, values, at: (column) => `${path}:${at(Math.max(columns.indexOf(column), 0))}` };
  }
}

/** CSV text with LF line ends; fields are quoted where needed (also for a lone CR, which readers take as a break). */
export function formatCsv(rows: Iterable<readonly (string | number)[]>): string {
  return stringify([...rows].map((row) => [...row]), {
    cast: { string: (value) => ({ value, quoted: /[\r\n",]|^\s|\s$/.test(value) }) },
  });
}

function checkColumns(columns: string[], path: string, requiredColumns: readonly string[]): void {
  const repeated = columns.find((name, i) => columns.indexOf(name) !== i);
  if (repeated !== undefined) throw new EntailError("data", `${path}:1: the column "${repeated}" is there twice`);
  for (const name of requiredColumns) {
    if (columns.includes(name)) continue;
    const others = columns.filter((column) => !requiredColumns.includes(column));
    const hint = others.length > 0 ? ` (the nearest there is "${closest(name, others)}")` : "";
    throw new EntailError(
      "data",
      `${path}:1: the column "${name}" is missing${hint}, expected ${requiredColumns.join(",")}`,
    );
  }
}

async function* parseRecords(
  pieces: AsyncIterable<string> | Iterable<string>,
  path: string,
): AsyncGenerator<CsvRecord, undefined> {
  for await (const stretch of stretches(pieces, path)) {
    const { records, error } = parseStretch(stretch.text);
    for (let i = 0; i < records.length; i++) {
      yield { line: stretch.lines[i], fields: records[i], at: (field) => position(stretch, i, field) };
    }
    if (error) throw syntaxError(error, stretch, path);
  }
}

/** The records of a text and, where it has a fault, those before it. */
function parseStretch(text: string, to?: number): { records: string[][]; error?: CsvError } {
  try {
    const records = parse(text, {
      to,
      relax_column_count: true,
      skip_empty_lines: true,
      // The default cuts off at 128,000 characters, which guards against a wrong delimiter; posts may be any length.
      max_record_size: 0,
      record_delimiter: ["\r\n", "\n", "\r"],
    });
    return { records };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const complete = Number(error.records ?? 0);
    return { records: complete === 0 ? [] : parseStretch(text, complete).records, error };
  }
}

/** csv-parse counts CR LF inside quotes twice, so the place is found again from the record and field numbers. */
function syntaxError(error: CsvError, stretch: Stretch, path: string): EntailError {
  const record = Number(error.records ?? 0);
  const place = record < stretch.offsets.length ? position(stretch, record, Number(error.column ?? 0)) : "1:1";
  const found = error.code === "CSV_QUOTE_NOT_CLOSED"
    ? "a quoted field is never closed"
    : "a quote inside a field, quote the whole field and double the quotes in it";
  return new EntailError("data", `${path}:${place}: ${found}`, { cause: error });
}

/**
 * Cuts a text into stretches of whole records. The last record so far may go on in the next piece, so it waits for it.
 * After a fault the cuts may be wrong, but the fault comes first.
 */
async function* stretches(
  pieces: AsyncIterable<string> | Iterable<string>,
  path: string,
): AsyncGenerator<Stretch> {
  let text = "";
  let line = 1;
  let enough = STRETCH;
  for await (const piece of pieces) {
    text += piece;
    if (text.length < enough) continue;
    const { offsets, lines } = recordStarts(text, line);
    const last = offsets.length - 1;
    if (last > 0) {
      yield { text: text.slice(0, offsets[last]), offsets: offsets.slice(0, last), lines: lines.slice(0, last) };
      text = text.slice(offsets[last]);
      line = lines[last];
    }
    if (text.length > LONGEST_TEXT) {
      const reason = `the record has more than ${LONGEST_TEXT} characters, is there a quote that is not closed?`;
      throw new EntailError("data", `${path}:${line}:1: ${reason}`);
    }
    // Twice as much for one long record, so that it is not searched again for each piece.
    enough = Math.max(STRETCH, 2 * text.length);
  }
  yield { text, ...recordStarts(text, line) };
}

/** Place and line of every record that is not an empty line; the text before the first fault is well-formed. */
function recordStarts(text: string, firstLine: number): Pick<Stretch, "offsets" | "lines"> {
  const offsets: number[] = [];
  const lines: number[] = [];
  let line = firstLine;
  let start = 0;
  let startLine = line;
  let quoted = false;
  const endAt = (end: number): void => {
    if (end === start) return;
    offsets.push(start);
    lines.push(startLine);
  };
  for (const { 0: mark, index } of text.matchAll(/"|\r\n|\r|\n/g)) {
    if (mark === '"') {
      quoted = !quoted;
      continue;
    }
    line++;
    if (quoted) continue;
    endAt(index);
    start = index + mark.length;
    startLine = line;
  }
  endAt(text.length);
  return { offsets, lines };
}

/** `line:column` of a field of a record. */
function position({ text, offsets, lines }: Stretch, record: number, field: number): string {
  let quoted = false;
  let i = offsets[record];
  for (let seen = 0; seen < field && i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 34) quoted = !quoted;
    else if (unit === 44 && !quoted) seen++;
  }
  const { line, column } = lineAndColumn(text.slice(offsets[record], i), i - offsets[record]);
  return `${lines[record] + line - 1}:${column}`;
}
