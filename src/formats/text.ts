import { EntailError } from "../errors.ts";
import { systemCode, systemReason } from "./system_error.ts";

/** The most UTF-16 units that a line or a record may have; V8's strings have at most 2²⁹ - 24. */
export const LONGEST_TEXT = 1 << 28;

/** Bytes that are read at a time. */
const CHUNK = 1 << 18;

const READ_REASONS: Record<string, string> = {
  ENOENT: "no such file",
  EACCES: "cannot be read (permission denied)",
  EISDIR: "is a folder, not a file",
  ENOTDIR: "a part of the path is a file, not a folder",
};

/** Turns an error of opening or reading `path` into a data error that says what is wrong with it. */
export function readError(error: unknown, path: string): unknown {
  if (error instanceof EntailError || !(error instanceof Error)) return error;
  const reason = READ_REASONS[systemCode(error) ?? ""] ?? `cannot be read (${systemReason(error)})`;
  return new EntailError("data", `${path}: ${reason}`, { cause: error });
}

/** The text of a UTF-8 file without its byte order mark. Data error for a missing file or bytes that are not UTF-8. */
export async function readText(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw readError(error, path);
  }
  return decodeUtf8(bytes, path);
}

/** Decodes UTF-8 strictly; `name` stands for the source in the error, which has the line and column of the bad byte. */
export function decodeUtf8(bytes: Uint8Array, name: string): string {
  if (bytes.length > LONGEST_TEXT) {
    throw new EntailError("data", `${name}: has ${bytes.length} bytes, more than a file of this kind can have`);
  }
  return decodePart(bytes, START, name);
}

/**
 * The text of a UTF-8 file, or of stdin for `-`, in pieces that part no character and no CR LF. Errors as `readText`.
 * `onRead` is told the bytes that have been read so far.
 */
export async function* readTextPieces(path: string, onRead?: (bytes: number) => void): AsyncGenerator<string> {
  const name = path === "-" ? "stdin" : path;
  let rest = new Uint8Array(0);
  let place = START;
  let read = 0;
  for await (const chunk of readChunks(path, name)) {
    read += chunk.length;
    onRead?.(read);
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    const end = bytes.length - unfinished(bytes);
    const text = decodePart(bytes.subarray(0, end), place, name);
    place = placeAfter(text, place);
    rest = bytes.slice(end);
    yield text;
  }
  yield decodePart(rest, place, name);
}

async function* readChunks(path: string, name: string): AsyncGenerator<Uint8Array> {
  let file: Deno.FsFile | undefined;
  try {
    if (path !== "-") file = await Deno.open(path);
    for (;;) {
      const buffer = new Uint8Array(CHUNK);
      const length = await (file ?? Deno.stdin).read(buffer);
      if (length === null) return;
      yield buffer.subarray(0, length);
    }
  } catch (error) {
    throw readError(error, name);
  } finally {
    file?.close();
  }
}

/** The lines of a text in pieces, numbered from 1, without their LF or CR LF. */
export async function* readLines(
  pieces: AsyncIterable<string>,
  name: string,
): AsyncGenerator<{ line: number; text: string }> {
  let line = 1;
  let open = "";
  for await (const piece of pieces) {
    let start = 0;
    for (let end = piece.indexOf("\n"); end >= 0; end = piece.indexOf("\n", start)) {
      yield { line: line++, text: withoutCr(open + piece.slice(start, end)) };
      open = "";
      start = end + 1;
    }
    open += piece.slice(start);
    if (open.length > LONGEST_TEXT) {
      throw new EntailError("data", `${name}:${line}: the line has more than ${LONGEST_TEXT} characters`);
    }
  }
  if (open !== "") yield { line, text: withoutCr(open) };
}

const withoutCr = (line: string): string => line.endsWith("\r") ? line.slice(0, -1) : line;

/** Line and column, from 1, of a position in `text`; a column counts UTF-16 units, CR LF is one line break. */
export function lineAndColumn(text: string, index: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (const match of text.matchAll(/\r\n|\r|\n/g)) {
    const end = match.index + match[0].length;
    if (end > index) break;
    line++;
    start = end;
  }
  return { line, column: index - start + 1 };
}

interface Place {
  line: number;
  column: number;
}

const START: Place = { line: 1, column: 1 };

/** The place after `text`, which begins at `start`. */
function placeAfter(text: string, start: Place): Place {
  const { line, column } = lineAndColumn(text, text.length);
  return line === 1 ? { line: start.line, column: start.column + column - 1 } : { line: start.line + line - 1, column };
}

/** Decodes a part of a text that begins at `start`; a byte order mark belongs to the text everywhere but at its start. */
function decodePart(bytes: Uint8Array, start: Place, name: string): string {
  const options = { fatal: true, ignoreBOM: start.line > 1 || start.column > 1 };
  try {
    return new TextDecoder("utf-8", options).decode(bytes);
  } catch {
    const { line, column } = placeAfter(validStart(bytes, options), start);
    throw new EntailError("data", `${name}:${line}:${column}: not UTF-8, save the file as UTF-8`);
  }
}

/** How many bytes at the end await others: of a character that is not complete, or a CR that a LF may follow. */
function unfinished(bytes: Uint8Array): number {
  if (bytes.at(-1) === 13) return 1;
  for (let back = 1; back <= 3; back++) {
    const byte = bytes.at(-back) ?? 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

/** The text before the first byte that no valid text could have there. */
function validStart(bytes: Uint8Array, options: TextDecoderOptions): string {
  const decode = (end: number): string | undefined => {
    try {
      // Streaming keeps an incomplete last character back instead of rejecting it.
      return new TextDecoder("utf-8", options).decode(bytes.subarray(0, end), { stream: true });
    } catch {
      return undefined;
    }
  };
  let low = 0;
  let high = bytes.length + 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (decode(middle) === undefined) high = middle;
    else low = middle;
  }
  return decode(low) ?? "";
}
