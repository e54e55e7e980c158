import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import {
  atomicFile,
  makeFolder,
  writeAll,
  writeError,
  writeFileAtomic,
  writePiecesAtomic,
} from "../../src/formats/atomic_write.ts";

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

Deno.test("writeFileAtomic: a symbolic link stays, what it leads to is replaced", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/far`);
    await Deno.writeTextFile(`${folder}/far/file`, "old");
    await Deno.symlink("far/file", `${folder}/link`);
    await Deno.symlink("link", `${folder}/second`);
    await writeFileAtomic(`${folder}/second`, "new");
    assert.equal(await Deno.readTextFile(`${folder}/far/file`), "new");
    for (const link of ["link", "second"]) assert.ok((await Deno.lstat(`${folder}/${link}`)).isSymlink, link);
    await assert.rejects(
      atomicFile(`${folder}/link`, () => Promise.reject(new Error("stop"))),
      /stop/,
    );
    assert.equal(await Deno.readTextFile(`${folder}/far/file`), "new");
    assert.deepEqual(names(`${folder}/far`), ["file"]);

    await Deno.symlink("far/new/file", `${folder}/dangling`);
    await writeFileAtomic(`${folder}/dangling`, "created");
    assert.equal(await Deno.readTextFile(`${folder}/far/new/file`), "created");
    assert.ok((await Deno.lstat(`${folder}/dangling`)).isSymlink);
  }));

Deno.test("writeFileAtomic: a link out of a folder that is a link itself", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/a/b`, { recursive: true });
    await Deno.symlink("a/b", `${folder}/b`);
    await Deno.symlink("../target", `${folder}/b/link`);
    await writeFileAtomic(`${folder}/b/link`, "x");
    assert.equal(await Deno.readTextFile(`${folder}/a/target`), "x");
  }));

Deno.test("writeFileAtomic: a circle of links is a usage error", () =>
  inFolder(async (folder) => {
    await Deno.symlink("b", `${folder}/a`);
    await Deno.symlink("a", `${folder}/b`);
    await assert.rejects(writeFileAtomic(`${folder}/a`, "x"), isError("usage", /a: .*symbolic links/));
    assert.deepEqual(names(folder), ["a", "b"]);
  }));

async function makePipe(path: string): Promise<void> {
  assert.ok((await new Deno.Command("mkfifo", { args: [path] }).output()).success);
}

Deno.test("writeFileAtomic: a named pipe is written to, also through a link", () =>
  inFolder(async (folder) => {
    await makePipe(`${folder}/pipe`);
    await Deno.symlink("pipe", `${folder}/link`);
    for (const name of ["pipe", "link"]) {
      // A process of its own: were the pipe replaced, reading it here would never end.
      const reader = new Deno.Command("timeout", { args: ["20", "cat", `${folder}/pipe`], stdout: "piped" }).output();
      await writeFileAtomic(`${folder}/${name}`, "through");
      assert.equal(new TextDecoder().decode((await reader).stdout), "through");
    }
    assert.ok((await Deno.lstat(`${folder}/pipe`)).isFifo);
    assert.deepEqual(names(folder), ["link", "pipe"]);
  }));

Deno.test("writePiecesAtomic: a reader that has seen enough ends the writing", () =>
  inFolder(async (folder) => {
    await makePipe(`${folder}/pipe`);
    const reader = new Deno.Command("timeout", { args: ["20", "head", "-c1", `${folder}/pipe`], stdout: "piped" });
    const output = reader.output();
    let ended = false;
    await writePiecesAtomic(
      `${folder}/pipe`,
      function* () {
        try {
          for (;;) yield "x".repeat(1 << 16);
        } finally {
          ended = true;
        }
      }(),
    );
    assert.ok(ended);
    assert.equal(new TextDecoder().decode((await output).stdout), "x");
  }));

Deno.test("writePiecesAtomic: pieces become one file; a failure in between leaves none", () =>
  inFolder(async (folder) => {
    const pieces = Array.from({ length: 50 }, (_, i) => "ü😀".repeat(20_000) + i);
    await writePiecesAtomic(`${folder}/file`, pieces);
    assert.equal(await Deno.readTextFile(`${folder}/file`), pieces.join(""));
    await writePiecesAtomic(`${folder}/empty`, []);
    assert.equal(await Deno.readTextFile(`${folder}/empty`), "");
    const failing = function* () {
      yield* pieces;
      throw new EntailError("data", "line 51");
    };
    await assert.rejects(writePiecesAtomic(`${folder}/none`, failing()), isError("data", /line 51/));
    assert.deepEqual(names(folder), ["empty", "file"]);
  }));

/** Runs a program that writes `lines` lines to `path`, with its output where `redirection` sends it. */
async function runWriter(path: string, redirection: string, lines = 2) {
  const module = new URL("../../src/formats/atomic_write.ts", import.meta.url).href;
  const program = `const { writePiecesAtomic } = await import(${JSON.stringify(module)});
    await writePiecesAtomic(${JSON.stringify(path)}, Array(${lines}).fill("line\\n"))
      .catch((error) => { console.error(error.kind, error.message); Deno.exit(1); });`;
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", `"$0" eval --ext=ts "$1" ${redirection}`, Deno.execPath(), program],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

// As /dev/stdout is one, but nothing that a mistake could replace.
Deno.test("writePiecesAtomic: a link to an open file is written to, piped, appended to, full or closed", () =>
  inFolder(async (folder) => {
    const file = `${folder}/file`;
    await Deno.writeTextFile(file, "before\n");
    const stdout = `${folder}/stdout`;
    await Deno.symlink("/proc/self/fd/1", stdout);
    for (const name of ["/proc/self/fd/1", stdout]) {
      const piped = await runWriter(name, "| cat");
      assert.deepEqual(piped, { code: 0, stdout: "line\nline\n", stderr: "" }, name);
      assert.deepEqual(await runWriter(name, `>>'${file}'`), { code: 0, stdout: "", stderr: "" });
    }
    await runWriter("/proc/self/fd/3", `3>>'${file}'`);
    assert.equal(await Deno.readTextFile(file), "before\n" + "line\nline\n".repeat(3));

    const full = await runWriter(stdout, ">/dev/full");
    assert.deepEqual(full, {
      code: 1,
      stdout: "",
      stderr: "data stdout: no space left on device, free some and resume\n",
    });
    const closed = await runWriter(stdout, "| head -n1", 1_000_000);
    assert.deepEqual(closed, { code: 0, stdout: "line\n", stderr: "" });
  }));

Deno.test("writeFileAtomic: a place that the system refuses is a usage error in the system's words", async () => {
  await assert.rejects(writeFileAtomic("/proc/x/y", "x"), isError("usage", /^\/proc\/x\/y: cannot be written \(.+\)$/));
  await assert.rejects(makeFolder("/proc/x"), isError("usage", /^\/proc\/x: cannot be written \(.+\)$/));
  // Not even root may make a file here.
  const denied = /^\/sys\/x: cannot be written \((permission denied|read-only file system)\)$/;
  await assert.rejects(writeFileAtomic("/sys/x", "x"), isError("usage", denied));
  const long = `/tmp/${"x".repeat(300)}`;
  await assert.rejects(writeFileAtomic(long, "x"), isError("usage", /: the name is too long$/));
  await assert.rejects(writeFileAtomic("/tmp/a\0b", "x"), isError("usage", /cannot be written \(.*nul byte/));
});

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
