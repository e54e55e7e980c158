/** Files of a run on their way to its artifacts. */
import { basename, join, relative } from "node:path";
import { makeFolder } from "../formats/atomic_write.ts";

/** From this size on a file is linked, not copied: checkpoints are replaced as a whole, never changed in place. */
const LINK_BYTES = 1 << 20;

export interface ArtifactFile {
  file: string;
  /** Relative to the artifact's place: "" for the file itself, subfolders for a folder's files. */
  folder: string;
  bytes: number;
  modified: number;
}

/** The files of a path, a file's or a folder's, in the order of their names; none where there is nothing. */
export function artifactFiles(path: string, root = path): ArtifactFile[] {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch {
    return [];
  }
  if (!info.isDirectory) {
    const folder = path === root ? "" : relative(root, join(path, "..")).replaceAll("\\", "/");
    return [{ file: path, folder, bytes: info.size, modified: info.mtime?.getTime() ?? 0 }];
  }
  const names = [...Deno.readDirSync(path)].map(({ name }) => name).sort();
  return names.flatMap((name) => artifactFiles(join(path, name), root));
}

/** Puts a file into a folder under its own name, replacing what is there. */
export async function copyArtifact(file: string, folder: string): Promise<void> {
  const target = join(folder, basename(file));
  await makeFolder(folder);
  await Deno.remove(target).catch(() => {});
  const { size } = await Deno.stat(file);
  if (size >= LINK_BYTES) {
    try {
      return await Deno.link(file, target);
    } catch {
      // Another disk, or a file system without links.
    }
  }
  await Deno.copyFile(file, target);
}
