/** Replacing a folder as a whole, so that a kill at any moment leaves the old one or the new one. */
import { dirname } from "node:path";
import { EntailError } from "../errors.ts";
import { writeError } from "./atomic_write.ts";
import { followLinks } from "./links.ts";

const infoOf = (path: string): Deno.FileInfo | undefined => {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
};

/** Where the old folder waits while the new one takes its place. */
const oldOf = (path: string) => `${path}.old`;
const newOf = (path: string) => `${path}.new`;

/**
 * Fills a new folder beside `path` by `fill(folder)` and puts it in place; a symbolic link stays, and the folder to
 * which it leads is replaced. A folder cannot be renamed over another, so for a moment there is only `<path>.old`;
 * `recoverFolder` puts that right after a kill. See `writeError` for the errors.
 */
export async function replaceFolder(path: string, fill: (folder: string) => Promise<void>): Promise<void> {
  recoverFolder(path);
  try {
    const target = followLinks(path);
    const fresh = newOf(target);
    if (infoOf(target)?.isDirectory === false) {
      throw new EntailError("usage", `${path}: a file is in the place of a folder, choose another path`);
    }
    await Deno.mkdir(dirname(target), { recursive: true });
    if (infoOf(fresh)) await Deno.remove(fresh, { recursive: true });
    await Deno.mkdir(fresh);
    try {
      await fill(fresh);
    } catch (error) {
      await Deno.remove(fresh, { recursive: true }).catch(() => {});
      throw error;
    }
    if (infoOf(target)) await Deno.rename(target, oldOf(target));
    await Deno.rename(fresh, target);
    if (infoOf(oldOf(target))) await Deno.remove(oldOf(target), { recursive: true });
  } catch (error) {
    throw writeError(error, path);
  }
}

/** Finishes or undoes a replacement that was cut off; call before reading `path`. */
export function recoverFolder(path: string): void {
  try {
    const target = followLinks(path);
    if (!infoOf(oldOf(target))) return;
    if (infoOf(target)) Deno.removeSync(oldOf(target), { recursive: true });
    else Deno.renameSync(oldOf(target), target);
  } catch (error) {
    throw writeError(error, path);
  }
}
