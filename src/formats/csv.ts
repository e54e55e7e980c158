import { type CsvError, parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { closest } from "fastest-levenshtein";
import { EntailError } from "../errors.ts";
import { lineAndColumn, readText } from "./text.ts";

/** One record under its header. */
export interface CsvRow {
  /** The line, from 1, on which the record begins. */
  line: number;
  /** Its fields by column name. */
  values: Record<string, string>;
}

/** A CSV file (RFC 4180) with a header. */
export interface CsvTable {
  columns: string[];
  rows: CsvRow[];
  /** `file:line:column` of a field, for error messages. */
  at(row: CsvRow, column: string): string;
}

/** Reads a CSV file, see `parseCsv`. */
export async function readCsv(path: string, requiredColumns: readonly string[]): Promise<CsvTable> {
  return parseCsv(await readText(path), path, requiredColumns);
}

/**
 * Parses CSV text with a header: quoted line breaks, LF or CR LF (also mixed); empty lines are skipped. Data error,
 * with file, line and column, for broken quoting, records of another length, missing or repeated columns.
 */
export function parseCsv(text: string, path: string, requiredColumns: readonly string[]): CsvTable {
  let records: string[][];
  try {
    records = parse(text, {
      bom: true,
      skip_empty_lines: true,
      // The default cuts off at 128,000 characters, which guards against a wrong delimiter; posts may be any length.
      max_record_size: 0,
      record_delimiter: ["\r\n", "\n", "\r"],
    }) as string[][];
  } catch (error) {
    throw syntaxError(error as CsvError, text, path);
  }
  if (records.length === 0) {
    throw new EntailError("data", `${path}: is empty, expected the columns ${requiredColumns.join(",")}`);
  }
  const [columns, ...fields] = records;
  checkColumns(columns, path, requiredColumns);
  const { offsets, lines } = recordStarts(text);
  const rows = fields.map((record, i) => {
    const values: Record<string, string> = Object.create(null);
    for (let c = 0; c < columns.length; c++) values[columns[c]] = record[c];
    return { line: lines[i + 1], values };
  });
  const indexOfLine = new Map(lines.map((line, i) => [line, i]));
  const at = (row: CsvRow, column: string): string => {
    const record = indexOfLine.get(row.line) ?? 0;
    return `${path}:${position(text, offsets[record], Math.max(columns.indexOf(column), 0))}`;
  };
  return { columns, rows, at };
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

/** csv-parse counts CR LF inside quotes twice, so the place is found again from the record and field numbers. */
function syntaxError(error: CsvError, text: string, path: string): EntailError {
  const records = Number(error.records ?? 0);
  const field = error.code === "CSV_RECORD_INCONSISTENT_FIELDS_LENGTH" ? 0 : Number(error.column ?? 0);
  const { offsets } = recordStarts(text);
  const place = records < offsets.length ? position(text, offsets[records], field) : "1:1";
  const found = error.code === "CSV_RECORD_INCONSISTENT_FIELDS_LENGTH"
    ? error.message.replace(/^Invalid Record Length: /, "wrong number of fields, ").replace(/ on line.*$/, "")
    : error.code === "CSV_QUOTE_NOT_CLOSED"
    ? "a quoted field is never closed"
    : "a quote inside a field, quote the whole field and double the quotes in it";
  return new EntailError("data", `${path}:${place}: ${found}`, { cause: error });
}

/** Offset and line of every record that is not an empty line; the text before the first fault is well-formed. */
function recordStarts(text: string): { offsets: number[]; lines: number[] } {
  const offsets: number[] = [];
  const lines: number[] = [];
  let line = 1;
  let start = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  let startLine = 1;
  let quoted = false;
  for (let i = start; i <= text.length; i++) {
    const unit = i < text.length ? text.charCodeAt(i) : 10;
    if (unit === 34) quoted = !quoted;
    if (unit !== 10 && unit !== 13) continue;
    const end = i;
    if (unit === 13 && text.charCodeAt(i + 1) === 10) i++;
    line++;
    if (quoted && i < text.length) continue;
    if (end > start) {
      offsets.push(start);
      lines.push(startLine);
    }
    start = i + 1;
    startLine = line;
  }
  return { offsets, lines };
}

/** `line:column` of a field of the record at `offset`. */
function position(text: string, offset: number, field: number): string {
  let quoted = false;
  let i = offset;
  for (let seen = 0; seen < field && i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 34) quoted = !quoted;
    else if (unit === 44 && !quoted) seen++;
  }
  const { line, column } = lineAndColumn(text, i);
  return `${line}:${column}`;
}
