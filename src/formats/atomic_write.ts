import { basename, dirname, join } from "node:path";
import { EntailError } from "../errors.ts";

let temporaryCount = 0;

/**
 * Turns an error of the operating system into one line about `path`: a full disk is a data error, a path that cannot
 * be written (a file where a folder should be, a folder where a file should be, no permission) a usage error.
 */
export function writeError(error: unknown, path: string): unknown {
  if (error instanceof EntailError || !(error instanceof Error)) return error;
  const code = (error as Error & { code?: string }).code;
  if (code === "ENOSPC" || code === "EDQUOT" || /os error (28|122)\b/.test(error.message)) {
    return new EntailError("data", `${path}: no space left on device, free some and resume`, { cause: error });
  }
  const reason = error instanceof Deno.errors.NotADirectory || code === "ENOTDIR"
    ? "a file is in the place of one of its folders, choose another path"
    : error instanceof Deno.errors.IsADirectory || code === "EISDIR"
    ? "is a folder, name a file"
    : error instanceof Deno.errors.AlreadyExists || code === "EEXIST"
    ? "a file is in the place of a folder, choose another path"
    : error instanceof Deno.errors.PermissionDenied || code === "EACCES" || code === "EPERM"
    ? "cannot be written (permission denied)"
    : code === "EROFS"
    ? "cannot be written (read-only file system)"
    : code === "ENAMETOOLONG"
    ? "the name is too long"
    : undefined;
  return reason === undefined ? error : new EntailError("usage", `${path}: ${reason}`, { cause: error });
}

/** Makes a folder and its parents; a usage error names `path` where a file is in the way. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (error) {
    throw writeError(error, path);
  }
}

/**
 * Calls `write` with a new file beside `path`, brings it to disk and renames it into place, so that a kill at any
 * moment leaves the old file or the new one. Makes missing parent folders. If anything fails the new file is removed
 * and `path` is as it was; see `writeError` for the errors.
 */
export async function atomicFile(path: string, write: (file: Deno.FsFile) => Promise<void>): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${Deno.pid}.${temporaryCount++}.tmp`);
  let opened = false;
  try {
    // A rename onto a folder would only fail after everything has been written.
    if ((await Deno.stat(path).catch(() => undefined))?.isDirectory) {
      throw new EntailError("usage", `${path}: is a folder, name a file`);
    }
    await Deno.mkdir(folder, { recursive: true });
    const file = await Deno.open(temporary, { write: true, createNew: true });
    opened = true;
    try {
      await write(file);
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    if (opened) await Deno.remove(temporary).catch(() => {});
    throw writeError(error, path);
  }
}

/** Writes a whole file atomically, see `atomicFile`; text as UTF-8. */
export function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return atomicFile(path, (file) => writeAll(file, bytes));
}

/** Writes all bytes, which one `write` call need not do. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}
