import { basename, dirname, join, resolve } from "node:path";

/** As many as Linux follows. */
const MOST_LINKS = 40;

/** Whether `path` is one of the links of /proc to an open file: their text is no path. */
export const isDescriptor = (path: string): boolean => /^\/proc\/[^/]+\/(task\/[^/]+\/)?fd\//.test(path);

/**
 * The path to which the symbolic links at the end of `path` lead; nothing need be there. Links to open files
 * (`/proc/self/fd/1`, and so `/dev/stdout`) are not followed. A circle of links is the system's error ELOOP.
 */
export function followLinks(path: string): string {
  let end = path;
  for (let links = 0; links < MOST_LINKS; links++) {
    const folder = attempt(() => Deno.realPathSync(dirname(end)));
    if (folder === undefined) return end;
    end = join(folder, basename(end));
    const target = isDescriptor(end) ? undefined : attempt(() => Deno.readLinkSync(end));
    if (target === undefined) return end;
    end = resolve(folder, target);
  }
  Deno.statSync(path);
  return end;
}

function attempt(action: () => string): string | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
