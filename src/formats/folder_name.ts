/** Names of users as names of folders. */
import { createHash } from "node:crypto";

const MOST_LETTERS = 60;

/**
 * A name as that of one folder, below whatever it is joined to. One that is no folder's name on every system is changed,
 * and gets a digest, so that different names stay different.
 */
export function folderName(name: string): string {
  const safe = name.replace(/[^\p{L}\p{N}_. -]|^[. -]|[. ]$/gu, "_").slice(0, MOST_LETTERS).toWellFormed();
  if (safe === name) return name;
  return `${safe}-${createHash("sha256").update(name).digest("hex").slice(0, 8)}`;
}
