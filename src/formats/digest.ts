/** SHA-256 digests of files: what a file holds, wherever it lies. */
import { createHash } from "node:crypto";
import { readError } from "./text.ts";

/** Bytes read at a time. */
const PIECE = 1 << 22;

/** Digest of the content of files, one after another, in hex. Data error for one that cannot be read. */
export async function filesDigest(
  paths: readonly string[],
  onProgress: (done: number, total: number) => void = () => {},
): Promise<string> {
  const hash = createHash("sha256");
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
