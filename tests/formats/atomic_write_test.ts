import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { atomicFile, makeFolder, writeAll, writeError, writeFileAtomic } from "../../src/formats/atomic_write.ts";

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const names = (folder: string): string[] => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

function isError(kind: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof EntailError && error.kind === kind && pattern.test(error.message);
}

Deno.test("writeFileAtomic: text and bytes, into new folders, over old files", () =>
  inFolder(async (folder) => {
    await writeFileAtomic(`${folder}/a/b/text`, "Grüße");
    assert.equal(await Deno.readTextFile(`${folder}/a/b/text`), "Grüße");
    await writeFileAtomic(`${folder}/a/b/text`, Uint8Array.of(1, 2, 3));
    assert.deepEqual(await Deno.readFile(`${folder}/a/b/text`), Uint8Array.of(1, 2, 3));
    assert.deepEqual(names(`${folder}/a/b`), ["text"]);
  }));

Deno.test("atomicFile: the old file is there until the new one is complete", () =>
  inFolder(async (folder) => {
    const path = `${folder}/file`;
    await Deno.writeTextFile(path, "old");
    await atomicFile(path, async (file) => {
      await writeAll(file, new TextEncoder().encode("new"));
      assert.equal(await Deno.readTextFile(path), "old");
      assert.equal(names(folder).length, 2);
    });
    assert.equal(await Deno.readTextFile(path), "new");
    assert.deepEqual(names(folder), ["file"]);
  }));

Deno.test("atomicFile: a failure keeps the old file and leaves nothing behind", () =>
  inFolder(async (folder) => {
    const path = `${folder}/file`;
    await Deno.writeTextFile(path, "old");
    const failing = atomicFile(path, async (file) => {
      await writeAll(file, Uint8Array.of(1));
      throw new Error("stop");
    });
    await assert.rejects(failing, /stop/);
    assert.equal(await Deno.readTextFile(path), "old");
    assert.deepEqual(names(folder), ["file"]);
  }));

Deno.test("writeFileAtomic: several at once do not disturb each other", () =>
  inFolder(async (folder) => {
    const contents = Array.from({ length: 8 }, (_, i) => String(i).repeat(1000));
    await Promise.all(contents.map((content) => writeFileAtomic(`${folder}/file`, content)));
    assert.ok(contents.includes(await Deno.readTextFile(`${folder}/file`)));
    assert.deepEqual(names(folder), ["file"]);
  }));

Deno.test("writeFileAtomic: paths that cannot be written are usage errors", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "kept");
    await Deno.mkdir(`${folder}/folder`);
    await assert.rejects(
      writeFileAtomic(`${folder}/folder`, "x"),
      isError("usage", /folder: is a folder, name a file/),
    );
    await assert.rejects(writeFileAtomic(`${folder}/file/x`, "x"), isError("usage", /file\/x: .*in the place of/));
    await assert.rejects(writeFileAtomic(`${folder}/file/x/y`, "x"), isError("usage", /in the place of/));
    await assert.rejects(makeFolder(`${folder}/file`), isError("usage", /file: .*in the place of/));
    await assert.rejects(makeFolder(`${folder}/file/x`), isError("usage", /in the place of/));
    assert.equal(await Deno.readTextFile(`${folder}/file`), "kept");
    assert.deepEqual(names(folder), ["file", "folder"]);
  }));

Deno.test("writeFileAtomic: a full disk is a data error that says what to do", async () => {
  // Writing to this device fails as on a full disk.
  const full = await Deno.open("/dev/full", { write: true });
  try {
    const error = await writeAll(full, Uint8Array.of(1)).then(() => undefined, (cause) => cause);
    const message = (writeError(error, "out/model.safetensors") as Error).message;
    assert.equal(message, "out/model.safetensors: no space left on device, free some and resume");
    assert.ok(isError("data", /./)(writeError(error, "x")));
  } finally {
    full.close();
  }
});

Deno.test("writeError: passes on what it does not know", () => {
  const error = new Error("other");
  assert.equal(writeError(error, "x"), error);
  const own = new EntailError("data", "y");
  assert.equal(writeError(own, "x"), own);
});
