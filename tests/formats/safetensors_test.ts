import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { openSafetensors, type TensorEntry, writeSafetensors } from "../../src/formats/safetensors.ts";
import expected from "../fixtures/formats/reference.json" with { type: "json" };

const REFERENCE = new URL("../fixtures/formats/reference.safetensors", import.meta.url).pathname;

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function isDataError(path: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof EntailError && error.kind === "data", String(error));
    assert.ok(error.message.startsWith(path) && !error.message.includes("\n"), error.message);
    assert.match(error.message, pattern);
    return true;
  };
}

/** A file with the given header, or header text, and so many bytes of data. */
async function writeRaw(path: string, header: unknown, dataBytes: number): Promise<void> {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  await Deno.writeFile(path, bytes);
}

function entry(name: string, shape: number[], chunks: Float32Array[]): TensorEntry {
  const read = async (emit: (chunk: Float32Array) => void): Promise<void> => {
    for (const chunk of chunks) {
      await Promise.resolve();
      emit(chunk);
    }
  };
  return { name, shape, dtype: "F32", read };
}

Deno.test("openSafetensors: reads what the Python library wrote, halves widened", async () => {
  const source = await openSafetensors(REFERENCE);
  try {
    assert.deepEqual({ ...source.metadata }, { format: "pt" });
    assert.deepEqual([...source.tensors.keys()].sort(), Object.keys(expected).sort());
    for (const [name, { shape, values }] of Object.entries(expected)) {
      assert.deepEqual(source.tensors.get(name)!.shape, shape);
      if (name.startsWith("i")) {
        assert.deepEqual(Array.from(await source.readIntegers(name), String), values);
      } else {
        const numbers = values.map((text) =>
          text.endsWith("inf") ? Number(text.replace("inf", "Infinity")) : Number(text)
        );
        assert.deepEqual([...await source.readTensor(name)], [...Float32Array.from(numbers)]);
      }
    }
  } finally {
    source.close();
  }
});

Deno.test("readTensor: windows, also several at once", async () => {
  const source = await openSafetensors(REFERENCE);
  try {
    const all = await source.readTensor("f16");
    const windows = [0, 3, 17, 40].map((offsetElements) => ({ offsetElements, countElements: 4 }));
    const parts = await Promise.all(windows.map((window) => source.readTensor("f16", window)));
    parts.forEach((part, i) => {
      const start = windows[i].offsetElements;
      assert.deepEqual(part, all.slice(start, start + 4));
    });
    assert.deepEqual(await source.readTensor("f16", { offsetElements: 42 }), all.slice(42));
    await assert.rejects(source.readTensor("f16", { offsetElements: 42, countElements: 3 }), RangeError);
    await assert.rejects(source.readTensor("none"), isDataError(REFERENCE, /no tensor "none"/));
    await assert.rejects(source.readTensor("i64"), isDataError(REFERENCE, /"i64": is I64/));
    await assert.rejects(source.readIntegers("f32"), isDataError(REFERENCE, /"f32": is F32/));
  } finally {
    source.close();
  }
});

Deno.test("writeSafetensors: what it writes is read back, in order and aligned", () =>
  inFolder(async (folder) => {
    const path = `${folder}/new/model.safetensors`;
    const ramp = Float32Array.from({ length: 60 }, (_, i) => i / 8);
    // A view into the middle of a buffer: only its own part may be written.
    const chunks = [ramp.subarray(0, 13), new Float32Array(0), ramp.subarray(13)];
    const entries = [
      entry("ramp", [5, 12], chunks),
      entry("scalar", [], [Float32Array.of(-1.5)]),
      entry("none", [0, 4], []),
    ];
    await writeSafetensors(path, entries, { format: "pt" });
    const bytes = await Deno.readFile(path);
    assert.equal(new DataView(bytes.buffer).getBigUint64(0, true) % 8n, 0n);
    const source = await openSafetensors(path);
    try {
      assert.deepEqual([...source.tensors.keys()], ["ramp", "scalar", "none"]);
      assert.deepEqual(source.tensors.get("ramp"), { dtype: "F32", shape: [5, 12], begin: 0, end: 240 });
      assert.deepEqual(await source.readTensor("ramp"), ramp);
      assert.deepEqual(await source.readTensor("scalar"), Float32Array.of(-1.5));
      assert.equal((await source.readTensor("none")).length, 0);
    } finally {
      source.close();
    }
    assert.deepEqual([...Deno.readDirSync(`${folder}/new`)].map(({ name }) => name), ["model.safetensors"]);
  }));

Deno.test("writeSafetensors: a failing source leaves the old file", () =>
  inFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await Deno.writeTextFile(path, "old");
    for (const chunks of [[new Float32Array(3)], [new Float32Array(5)]]) {
      await assert.rejects(writeSafetensors(path, [entry("x", [4], chunks)]), /"x" gave [35] elements/);
    }
    assert.equal(await Deno.readTextFile(path), "old");
    assert.equal([...Deno.readDirSync(folder)].length, 1);
  }));

Deno.test("openSafetensors: damaged files are data errors that name file and tensor", () =>
  inFolder(async (folder) => {
    const path = `${folder}/x.safetensors`;
    const tensor = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
    const second = { ...tensor, data_offsets: [8, 16] };
    const cases: [unknown, number, RegExp][] = [
      ["{not json", 0, /header\):1:2: not valid JSON/],
      ["[]", 0, /not a JSON object/],
      [{ a: tensor }, 7, /"a": ends at byte 8 of 7 .*truncated/],
      [{ a: tensor }, 12, /4 bytes after its last tensor/],
      [{ a: tensor, b: { ...tensor, data_offsets: [4, 12] } }, 12, /"b": overlaps/],
      [{ a: tensor, b: { ...tensor, data_offsets: [12, 20] } }, 20, /"b": leaves a hole/],
      [{ a: { ...tensor, shape: [3] } }, 8, /"a": has 8 bytes, but F32 \[3\] needs 12/],
      [{ a: { ...tensor, shape: [-2] } }, 8, /"a": shape/],
      [{ a: { ...tensor, shape: [2 ** 40, 2 ** 40] } }, 8, /"a": has 8 bytes/],
      [{ a: { ...tensor, dtype: "F31" } }, 8, /"a": unknown type "F31"/],
      [{ a: { ...tensor, data_offsets: [8, 0] } }, 8, /"a": data_offsets/],
      [{ a: { ...tensor, data_offsets: [0, 8.5] } }, 8, /"a": data_offsets/],
      [{ a: { ...tensor, data_offsets: undefined } }, 8, /"a": data_offsets \(missing\)/],
      [{ a: 5 }, 0, /"a": its entry/],
      [{ __metadata__: { a: 1 } }, 0, /__metadata__/],
    ];
    for (const [header, dataBytes, pattern] of cases) {
      await writeRaw(path, header, dataBytes);
      await assert.rejects(openSafetensors(path), isDataError(path, pattern));
    }
    await writeRaw(path, { b: second, a: tensor }, 16);
    (await openSafetensors(path)).close();
    const good = await Deno.readFile(REFERENCE);
    for (const length of [0, 7, 8, 100, good.length - 1]) {
      await Deno.writeFile(path, good.subarray(0, length));
      await assert.rejects(openSafetensors(path), isDataError(path, /truncated/));
    }
    await Deno.writeFile(path, new Uint8Array(64).fill(0xff));
    await assert.rejects(openSafetensors(path), isDataError(path, /not a safetensors file/));
    await assert.rejects(openSafetensors(`${folder}/none`), isDataError(folder, /no such file/));
    await assert.rejects(openSafetensors(folder), isDataError(folder, /is a folder/));
  }));
