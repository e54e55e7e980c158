import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { decodeUtf8, lineAndColumn, readText } from "../../src/formats/text.ts";

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
