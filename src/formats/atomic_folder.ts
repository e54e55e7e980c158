/** Replacing a folder as a whole, so that a kill at any moment leaves the old one or the new one. */
import { dirname } from "node:path";

const exists = (path: string): boolean => {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
};

/** Where the old folder waits while the new one takes its place. */
const oldOf = (path: string) => `${path}.old`;
const newOf = (path: string) => `${path}.new`;

/**
 * Fills a new folder beside `path` by `fill(folder)` and puts it in place. A folder cannot be renamed over another, so
 * for a moment there is only `<path>.old`; `recoverFolder` puts that right after a kill.
 */
export async function replaceFolder(path: string, fill: (folder: string) => Promise<void>): Promise<void> {
  recoverFolder(path);
  const fresh = newOf(path);
  await Deno.mkdir(dirname(path), { recursive: true });
  if (exists(fresh)) await Deno.remove(fresh, { recursive: true });
  await Deno.mkdir(fresh);
  try {
    await fill(fresh);
  } catch (error) {
    await Deno.remove(fresh, { recursive: true });
    throw error;
  }
  if (exists(path)) await Deno.rename(path, oldOf(path));
  await Deno.rename(fresh, path);
  if (exists(oldOf(path))) await Deno.remove(oldOf(path), { recursive: true });
}

/** Finishes or undoes a replacement that was cut off; call before reading `path`. */
export function recoverFolder(path: string): void {
  if (!exists(oldOf(path))) return;
  if (exists(path)) Deno.removeSync(oldOf(path), { recursive: true });
  else Deno.renameSync(oldOf(path), path);
}
