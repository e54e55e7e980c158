/** SHA-256 digests of files: what a file holds, wherever it lies. */
import { createHash, type Hash } from "node:crypto";
import { readError } from "./text.ts";

/** Bytes read at a time. */
const PIECE = 1 << 22;

/** Digest of the content of files, one after another, in hex. Data error for one that cannot be read. */
export async function filesDigest(
  paths: readonly string[],
  onProgress: (done: number, total: number) => void = () => {},
): Promise<string> {
  return await hashFiles(createHash("sha256"), paths, onProgress);
}

/** git's name for the content of a file. Data error for one that cannot be read. */
export async function blobId(path: string): Promise<string> {
  const { size } = await Deno.stat(path);
  return await hashFiles(createHash("sha1").update(`blob ${size}\0`), [path]);
}

async function hashFiles(
  hash: Hash,
  paths: readonly string[],
  onProgress: (done: number, total: number) => void = () => {},
): Promise<string> {
  const buffer = new Uint8Array(PIECE);
  const files: Deno.FsFile[] = [];
  let path = "";
  try {
    let total = 0;
    for (path of paths) {
      const file = await Deno.open(path);
      files.push(file);
      total += (await file.stat()).size;
    }
    let done = 0;
    for (const [index, file] of files.entries()) {
      path = paths[index];
      for (let count; (count = await file.read(buffer)) !== null;) {
        hash.update(buffer.subarray(0, count));
        onProgress(done += count, total);
      }
    }
  } catch (error) {
    throw readError(error, path);
  } finally {
    files.forEach((file) => file.close());
  }
  return hash.digest("hex");
}

export const textDigest = (text: string): string => createHash("sha256").update(text).digest("hex");
