import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { decodeUtf8, lineAndColumn, readLines, readText, readTextPieces } from "../../src/formats/text.ts";

function isDataError(message: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof EntailError && error.kind === "data");
    assert.equal(error.message, message);
    return true;
  };
}

Deno.test("decodeUtf8: leaves out the byte order mark", () => {
  assert.equal(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), "x"), "a");
});

Deno.test("decodeUtf8: names line and column of the first bad byte", () => {
  const encode = (text: string): number[] => [...new TextEncoder().encode(text)];
  const cases: [number[], string][] = [
    [[0xff], "1:1"],
    [[...encode("ab\ncd\r\nä\u{1F600}x"), 0xe4, 0x62], "3:5"],
    [[...encode("a\uFFFDb"), 0xc3], "1:4"],
    [[...encode("first\n"), 0xf0, 0x9f, 0x98], "2:1"],
    [[...encode("x".repeat(1000)), 0x80, 0x80], "1:1001"],
  ];
  for (const [bytes, place] of cases) {
    assert.throws(
      () => decodeUtf8(Uint8Array.from(bytes), "f.csv"),
      isDataError(`f.csv:${place}: not UTF-8, save the file as UTF-8`),
    );
  }
});

Deno.test("lineAndColumn: LF, CR LF and CR end lines", () => {
  const text = "a\nbc\r\nd\re";
  const places = [...text].map((_, i) => Object.values(lineAndColumn(text, i)).join(":"));
  assert.deepEqual(places, ["1:1", "1:2", "2:1", "2:2", "2:3", "2:4", "3:1", "3:2", "4:1"]);
});

/** Hands `test` the path of a file with these bytes. */
async function withFile(bytes: Uint8Array, test: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, bytes);
    await test(path);
  } finally {
    await Deno.remove(path);
  }
}

/** More than two reads of a file long, with every kind of character and line end on the seams. */
const LONG = "ab\ncé€😀\r\n\uFEFFd\re\n".repeat(30_000);

Deno.test("readTextPieces: the whole text, no character and no CR LF parted", async () => {
  for (let shift = 0; shift < 8; shift++) {
    const text = "x".repeat(shift) + LONG;
    await withFile(new TextEncoder().encode("\uFEFF" + text), async (path) => {
      const pieces = await Array.fromAsync(readTextPieces(path));
      assert.ok(pieces.length > 2);
      assert.ok(pieces.slice(0, -1).every((piece) => !piece.endsWith("\r") && piece.isWellFormed()));
      assert.equal(pieces.join(""), text);
    });
  }
  for (const text of ["", "\r", "a\r", "\r\n"]) {
    await withFile(new TextEncoder().encode(text), async (path) => {
      assert.equal((await Array.fromAsync(readTextPieces(path))).join(""), text);
    });
  }
});

Deno.test("readTextPieces: names line and column of the first bad byte", async () => {
  for (const [mark, text] of [["", LONG], ["\uFEFF", LONG], ["\uFEFF", "ab"], ["", LONG + "a\r"], ["", LONG + "é"]]) {
    const valid = new TextEncoder().encode(mark + text);
    const { line, column } = lineAndColumn(text, text.length);
    const message = (path: string) => `${path}:${line}:${column}: not UTF-8, save the file as UTF-8`;
    for (const bad of [[0xff], [0xe4, 0x62], [0x80], [0xf0, 0x9f]]) {
      await withFile(Uint8Array.from([...valid, ...bad]), async (path) => {
        await assert.rejects(Array.fromAsync(readTextPieces(path)), isDataError(message(path)));
        await assert.rejects(readText(path), isDataError(message(path)));
      });
    }
  }
});

Deno.test("readLines: numbered, LF and CR LF, the last without an end", async () => {
  const lines = async (pieces: string[]) =>
    (await Array.fromAsync(readLines(ReadableStream.from(pieces), "x"))).map(({ line, text }) => `${line}:${text}`);
  assert.deepEqual(await lines([]), []);
  assert.deepEqual(await lines(["a\n", "b", "c", "\n\r\nd\re\r"]), ["1:a", "2:bc", "3:", "4:d\re"]);
  assert.deepEqual(await lines(["a\n\n"]), ["1:a", "2:"]);
});

Deno.test("readLines: a line without an end is refused before it fills the memory", async () => {
  const endless = function* () {
    yield "a\n";
    for (;;) yield "x".repeat(1 << 20);
  };
  await assert.rejects(
    Array.fromAsync(readLines(ReadableStream.from(endless()), "f")),
    isDataError(`f:2: the line has more than ${1 << 28} characters`),
  );
});

Deno.test("readText: files that the system does not give", async () => {
  const reason = "cannot be read (input/output error)";
  await assert.rejects(readText("/proc/self/mem"), isDataError(`/proc/self/mem: ${reason}`));
  await assert.rejects(Array.fromAsync(readTextPieces("/proc/self/mem")), isDataError(`/proc/self/mem: ${reason}`));
  const folder = await Deno.makeTempDir();
  try {
    await Deno.symlink("a", `${folder}/a`);
    const long = `${folder}/${"x".repeat(300)}`;
    for (const read of [readText, (path: string) => Array.fromAsync(readTextPieces(path))]) {
      await assert.rejects(
        read(`${folder}/a`),
        isDataError(`${folder}/a: cannot be read (too many levels of symbolic links)`),
      );
      await assert.rejects(read(long), isDataError(`${long}: cannot be read (file name too long)`));
      await assert.rejects(read(folder), isDataError(`${folder}: is a folder, not a file`));
      await assert.rejects(read(`${folder}/b`), isDataError(`${folder}/b: no such file`));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readText: files that are not there or are folders", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/file`, "x");
    assert.equal(await readText(`${folder}/file`), "x");
    await assert.rejects(readText(`${folder}/none`), isDataError(`${folder}/none: no such file`));
    await assert.rejects(readText(folder), isDataError(`${folder}: is a folder, not a file`));
    const below = `${folder}/file/x`;
    await assert.rejects(readText(below), isDataError(`${below}: a part of the path is a file, not a folder`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
