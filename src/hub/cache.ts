/** The cache of huggingface_hub: `models--org--name/{blobs,refs,snapshots}`, a snapshot's files being links to blobs. */
import { dirname, join, relative } from "node:path";
import { makeFolder, writeError, writeFileAtomic } from "../formats/atomic_write.ts";
import { isCommit } from "./model_id.ts";

export interface RepoCache {
  folder: string;
  /** The commit that a revision stood for when it was last asked for; undefined where it never was. */
  commitOf(revision: string): Promise<string | undefined>;
  /** Writes down what a branch or tag stands for. */
  remember(revision: string, commit: string): Promise<void>;
  snapshot(commit: string): string;
  blob(etag: string): string;
  lock(etag: string): string;
}

export function repoCache(cache: string, repo: string): RepoCache {
  const name = `models--${repo.replace("/", "--")}`;
  const folder = join(cache, name);
  const ref = (revision: string) => join(folder, "refs", revision);
  return {
    folder,
    async commitOf(revision) {
      if (isCommit(revision)) return revision;
      const text = await Deno.readTextFile(ref(revision)).catch(() => "");
      return isCommit(text.trim()) ? text.trim() : undefined;
    },
    async remember(revision, commit) {
      if (isCommit(revision) || await this.commitOf(revision) === commit) return;
      // A cache that is only lent for reading serves too.
      await writeFileAtomic(ref(revision), commit).catch(() => {});
    },
    snapshot: (commit) => join(folder, "snapshots", commit),
    blob: (etag) => join(folder, "blobs", etag),
    lock: (etag) => join(cache, ".locks", name, `${etag}.lock`),
  };
}

/** Makes `pointer` a relative link to `blob`; a copy where the file system has no links. */
export async function linkBlob(blob: string, pointer: string): Promise<void> {
  await makeFolder(dirname(pointer));
  const temporary = `${pointer}.${crypto.randomUUID().slice(0, 8)}`;
  try {
    await Deno.symlink(relative(dirname(pointer), blob), temporary).catch(() => Deno.copyFile(blob, temporary));
    // Renaming also replaces a link that leads nowhere, and another process's at the same moment.
    await Deno.rename(temporary, pointer);
  } catch (error) {
    throw writeError(error, pointer);
  }
}
