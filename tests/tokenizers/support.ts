import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";

const FIXTURES = new URL("../fixtures/tokenizers/", import.meta.url).pathname;

/** The names of the folders of `tests/fixtures/tokenizers/layouts`. */
export const LAYOUTS = Array.from(Deno.readDirSync(join(FIXTURES, "layouts")))
  .filter(({ isDirectory }) => isDirectory).map(({ name }) => name).sort();

/** A file of `tests/fixtures/tokenizers`. */
export async function readGzip(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(gunzipSync(await Deno.readFile(join(FIXTURES, name))));
}

/** Puts the files of a layout into `folder`, as it is published. */
export async function unpackLayout(layout: string, folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const { name } of Deno.readDirSync(join(FIXTURES, "layouts", layout))) {
    if (name === "expected.gz") continue;
    const path = join("layouts", layout, name);
    if (name.endsWith(".gz")) await Deno.writeFile(join(folder, basename(name, ".gz")), await readGzip(path));
    else await Deno.copyFile(join(FIXTURES, path), join(folder, name));
  }
}
