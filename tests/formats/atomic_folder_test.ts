import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { recoverFolder, replaceFolder } from "../../src/formats/atomic_folder.ts";

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const names = (folder: string): string[] => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const fill = (name: string) => (folder: string) => Deno.writeTextFile(`${folder}/${name}`, name);
const isUsage = (pattern: RegExp) => (error: unknown) =>
  error instanceof EntailError && error.kind === "usage" && pattern.test(error.message);

Deno.test("replaceFolder: a new folder takes the old one's place, with what it holds", () =>
  inFolder(async (folder) => {
    await replaceFolder(`${folder}/a/best`, fill("one"));
    await replaceFolder(`${folder}/a/best`, fill("two"));
    assert.deepEqual(names(`${folder}/a`), ["best"]);
    assert.deepEqual(names(`${folder}/a/best`), ["two"]);
  }));

Deno.test("replaceFolder: a failure keeps the old folder and leaves nothing behind", () =>
  inFolder(async (folder) => {
    await replaceFolder(`${folder}/best`, fill("one"));
    await assert.rejects(
      replaceFolder(`${folder}/best`, async (fresh) => {
        await fill("two")(fresh);
        throw new Error("stop");
      }),
      /stop/,
    );
    assert.deepEqual(names(folder), ["best"]);
    assert.deepEqual(names(`${folder}/best`), ["one"]);
  }));

Deno.test("replaceFolder: a symbolic link stays, the folder to which it leads is replaced", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/far/best`, { recursive: true });
    await Deno.symlink("far/best", `${folder}/best`);
    await replaceFolder(`${folder}/best`, fill("one"));
    await Deno.symlink("far/none", `${folder}/dangling`);
    await replaceFolder(`${folder}/dangling`, fill("two"));
    assert.ok((await Deno.lstat(`${folder}/best`)).isSymlink);
    assert.ok((await Deno.lstat(`${folder}/dangling`)).isSymlink);
    assert.deepEqual(names(`${folder}/far/best`), ["one"]);
    assert.deepEqual(names(`${folder}/far`), ["best", "none"]);
    assert.deepEqual(names(folder), ["best", "dangling", "far"]);
  }));

Deno.test("recoverFolder: what a kill left is put right, also behind a link", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/far`);
    await Deno.symlink("far/best", `${folder}/link`);
    for (const path of [`${folder}/best`, `${folder}/link`]) {
      const real = path.replace("link", "far/best");
      await replaceFolder(path, fill("one"));
      await Deno.rename(real, `${real}.old`); // killed before the new folder was in place
      recoverFolder(path);
      assert.deepEqual(names(path), ["one"]);
      await Deno.mkdir(`${real}.old`); // killed before the old one was removed
      recoverFolder(path);
      assert.deepEqual(names(path), ["one"]);
      await assert.rejects(Deno.lstat(`${real}.old`), Deno.errors.NotFound);
    }
  }));

Deno.test("replaceFolder: paths that cannot be written are usage errors", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "kept");
    await assert.rejects(
      replaceFolder(`${folder}/file`, fill("x")),
      isUsage(/file: a file is in the place of a folder/),
    );
    await assert.rejects(
      replaceFolder(`${folder}/file/best`, fill("x")),
      isUsage(/file\/best: a file is in the place/),
    );
    await assert.rejects(replaceFolder("/proc/best", fill("x")), isUsage(/^\/proc\/best: cannot be written \(.+\)$/));
    await assert.rejects(replaceFolder("/sys/best", fill("x")), isUsage(/^\/sys\/best: cannot be written \(.+\)$/));
    await assert.rejects(
      replaceFolder(`${folder}/best`, () => Deno.mkdir("/sys/best")),
      isUsage(/best: cannot be written \(.+\)$/),
    );
    assert.equal(await Deno.readTextFile(`${folder}/file`), "kept");
    assert.deepEqual(names(folder), ["file"]);
  }));
