import { basename, dirname, join } from "node:path";
import { EntailError } from "../errors.ts";
import { followLinks, isDescriptor } from "./links.ts";
import { systemCode, systemReason } from "./system_error.ts";

/** What `atomicFile` hands out to be written; stdout is one too. */
export type OutputFile = Pick<Deno.FsFile, "write" | "writeSync">;

let temporaryCount = 0;

/** Characters that are written at a time. */
const PIECE = 1 << 20;

const WRITE_REASONS: Record<string, string> = {
  ENOTDIR: "a file is in the place of one of its folders, choose another path",
  EISDIR: "is a folder, name a file",
  EEXIST: "a file is in the place of a folder, choose another path",
  EACCES: "cannot be written (permission denied)",
  EPERM: "cannot be written (permission denied)",
  EROFS: "cannot be written (read-only file system)",
  ENAMETOOLONG: "the name is too long",
};

/**
 * Turns an error of the operating system into one line about `path`: a full disk is a data error, a path that cannot
 * be written (a file where a folder should be, a folder where a file should be, no permission) a usage error.
 */
export function writeError(error: unknown, path: string): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new EntailError("data", `${path}: no space left on device, free some and resume`, { cause: error });
  }
  const reason = WRITE_REASONS[code] ?? `cannot be written (${systemReason(error)})`;
  return new EntailError("usage", `${path}: ${reason}`, { cause: error });
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
 *
 * A symbolic link stays, and the file to which it leads is replaced. What is there and no regular file (a device, a
 * pipe, `/dev/stdout`) is written to as it is; there, a reader that has seen enough ends the writing without an error.
 */
export async function atomicFile(path: string, write: (file: OutputFile) => Promise<void>): Promise<void> {
  let name = path;
  try {
    const target = followLinks(path);
    const stream = standardStream(target);
    if (stream) {
      name = stream === Deno.stdout ? "stdout" : "stderr";
      return await writeToReader(stream, write);
    }
    const found = await Deno.stat(path).catch(() => undefined);
    // A rename onto a folder would only fail after everything has been written.
    if (found?.isDirectory) throw new EntailError("usage", `${path}: is a folder, name a file`);
    if (!found || (found.isFile && !isDescriptor(target))) await replaceFile(target, write);
    else {
      using file = await Deno.open(target, { append: true });
      await writeToReader(file, write);
    }
  } catch (error) {
    throw writeError(error, name);
  }
}

async function replaceFile(path: string, write: (file: OutputFile) => Promise<void>): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${Deno.pid}.${temporaryCount++}.tmp`);
  await Deno.mkdir(folder, { recursive: true });
  const file = await Deno.open(temporary, { write: true, createNew: true });
  try {
    try {
      await write(file);
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

async function writeToReader(file: OutputFile, write: (file: OutputFile) => Promise<void>): Promise<void> {
  try {
    await write(file);
  } catch (error) {
    if (systemCode(error) !== "EPIPE") throw error;
  }
}

/** Whether a file written to `path` goes to this process's stdout, which is then no place for anything else. */
export const isStdout = (path: string): boolean => standardStream(followLinks(path)) === Deno.stdout;

function standardStream(target: string): OutputFile | undefined {
  if (target === `/proc/${Deno.pid}/fd/1` || target === "/dev/fd/1") return Deno.stdout;
  if (target === `/proc/${Deno.pid}/fd/2` || target === "/dev/fd/2") return Deno.stderr;
}

/** Writes a whole file atomically, see `atomicFile`; text as UTF-8. */
export function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return atomicFile(path, (file) => writeAll(file, bytes));
}

/** Writes pieces of text as they come, as one file: see `atomicFile`. */
export function writePiecesAtomic(path: string, pieces: Iterable<string> | AsyncIterable<string>): Promise<void> {
  return atomicFile(path, async (file) => {
    let text = "";
    for await (const piece of pieces) {
      text += piece;
      if (text.length < PIECE) continue;
      await writeAll(file, new TextEncoder().encode(text));
      text = "";
    }
    await writeAll(file, new TextEncoder().encode(text));
  });
}

/** Writes all bytes, which one `write` call need not do. */
export async function writeAll(file: OutputFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}
