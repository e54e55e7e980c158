import { EntailError } from "../errors.ts";

/** Turns an error of opening or reading `path` into a data error that says what is wrong with it. */
export function readError(error: unknown, path: string): unknown {
  if (error instanceof EntailError || !(error instanceof Error)) return error;
  const code = (error as Error & { code?: string }).code;
  const reason = error instanceof Deno.errors.NotFound || code === "ENOENT"
    ? "no such file"
    : error instanceof Deno.errors.PermissionDenied || code === "EACCES"
    ? "cannot be read (permission denied)"
    : error instanceof Deno.errors.IsADirectory || code === "EISDIR"
    ? "is a folder, not a file"
    : error instanceof Deno.errors.NotADirectory || code === "ENOTDIR"
    ? "a part of the path is a file, not a folder"
    : `cannot be read (${error.message})`;
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
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const { line, column } = firstInvalid(bytes);
    throw new EntailError("data", `${name}:${line}:${column}: not UTF-8, save the file as UTF-8`);
  }
}

/** Line and column, from 1, of a position in `text`; a column counts UTF-16 units, CR LF is one line break. */
export function lineAndColumn(text: string, index: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let i = 0; i < index; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 10 || (unit === 13 && text.charCodeAt(i + 1) !== 10)) {
      line++;
      start = i + 1;
    }
  }
  return { line, column: index - start + 1 };
}

/** Line and column of the first byte that no valid text could have there. */
function firstInvalid(bytes: Uint8Array): { line: number; column: number } {
  const decode = (end: number): string | undefined => {
    try {
      // Streaming keeps an incomplete last character back instead of rejecting it.
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, end), { stream: true });
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
  const valid = decode(low) ?? "";
  return lineAndColumn(valid, valid.length);
}
