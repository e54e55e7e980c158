import assert from "node:assert/strict";
import { join } from "node:path";
import { EntailError } from "../../src/errors.ts";
import { openCheckpointTensors } from "../../src/formats/checkpoint_tensors.ts";
import type { TensorSource } from "../../src/formats/tensor_source.ts";
import { openTorchFile } from "../../src/formats/torch_file.ts";
import expected from "../fixtures/formats/torch/expected.json" with { type: "json" };
import { inTemporaryFolder } from "../support/run_data.ts";

const FIXTURES = decodeURIComponent(new URL("../fixtures/formats/torch", import.meta.url).pathname);

const number = (text: string) => Number(text.replace("inf", "Infinity").replace("nan", "NaN"));

async function checkTensors(source: TensorSource, tensors: Record<string, { shape: number[]; values: string[] }>) {
  assert.deepEqual([...source.tensors.keys()].sort(), Object.keys(tensors).sort());
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    const { dtype, shape: found } = source.tensors.get(name)!;
    assert.deepEqual(found, shape, name);
    if (dtype === "I64" || dtype === "I32") {
      assert.deepEqual(Array.from(await source.readIntegers(name), String), values, name);
    } else if (dtype !== "I8") {
      assert.deepEqual([...await source.readTensor(name)], [...Float32Array.from(values, number)], name);
    }
  }
}

async function refusal(path: string): Promise<string> {
  try {
    (await openTorchFile(path)).close();
  } catch (error) {
    assert.ok(error instanceof EntailError && error.kind === "data", `${path}: ${error}`);
    assert.ok(error.message.startsWith(path) && !error.message.includes("\n"), error.message);
    return error.message.slice(path.length + 2);
  }
  throw new Error(`${path} was not refused`);
}

for (const [file, tensors] of Object.entries(expected)) {
  if (file === "sharded") continue;
  Deno.test(`openTorchFile: ${file} as torch reads it`, async () => {
    const source = await openTorchFile(join(FIXTURES, file));
    await checkTensors(source, tensors);
    source.close();
  });
}

Deno.test("openTorchFile: windows of views are those of the whole", async () => {
  const source = await openTorchFile(join(FIXTURES, "views.bin"));
  for (const [name, { dtype, shape }] of source.tensors) {
    if (dtype.startsWith("I")) continue;
    const all = await source.readTensor(name);
    const total = shape.reduce((product, size) => product * size, 1);
    for (const countElements of [1, 3, 7]) {
      for (let offsetElements = 0; offsetElements + countElements <= total; offsetElements += 2) {
        const part = await source.readTensor(name, { offsetElements, countElements });
        assert.deepEqual(part, all.slice(offsetElements, offsetElements + countElements), name);
      }
    }
  }
  source.close();
});

Deno.test("openCheckpointTensors: sharded bins with their index", async () => {
  const source = await openCheckpointTensors(join(FIXTURES, "sharded"));
  await checkTensors(source, expected.sharded);
  assert.match(source.fileOf("b"), /sharded\/pytorch_model-00002-of-00002\.bin$/);
  source.close();
});

Deno.test("openTorchFile: what is no state dict, or another format, is refused by name", async () => {
  const cases: [string, RegExp][] = [
    ["legacy.bin", /format before 1\.6.*torch\.save/],
    ["torchscript.bin", /TorchScript/],
    ["no_tensors.bin", /no tensors by name/],
    ["complex.bin", /torch\.ComplexFloatStorage/],
    ["compressed.bin", /"archive\/data\.pkl" is compressed/],
    ["no_pickle.bin", /no data\.pkl/],
    ["protocol_0.bin", /opcode 0x/],
    ["expected.json", /truncated, or not a file of torch\.save/],
  ];
  for (const [file, pattern] of cases) assert.match(await refusal(join(FIXTURES, file)), pattern, file);
  assert.match(await refusal(FIXTURES), /is a folder/);
  assert.match(await refusal(join(FIXTURES, "none.bin")), /no such file/);
});

Deno.test("openTorchFile: hostile pickles end in one line that names what they asked for", async () => {
  (await openTorchFile(join(FIXTURES, "good_by_hand.bin"))).close();
  const cases: [string, RegExp][] = [
    ["os_system.bin", /asks for posix\.system.*do not trust/],
    ["builtins_eval.bin", /asks for builtins\.eval/],
    ["getattr_chain.bin", /asks for __builtin__\.getattr/],
    ["stack_global.bin", /asks for builtins\.exec/],
    ["newobj.bin", /opcode 0x81/],
    ["calls_storage.bin", /calls torch\.FloatStorage/],
    ["build.bin", /damaged pickle/],
    ["calls_text.bin", /damaged pickle/],
    ["beyond_storage.bin", /beyond its storage/],
    ["beyond_by_stride.bin", /beyond its storage/],
    ["negative_stride.bin", /without a storage, sizes or strides/],
    ["huge_shape.bin", /beyond its storage/],
    ["huge_number.bin", /beyond 2⁵³/],
    ["huge_text.bin", /cut off/],
    ["huge_bytes.bin", /cut off/],
    ["memo_bomb.bin", /no tensors by name/],
    ["cut_off.bin", /cut off/],
    ["stack_underflow.bin", /damaged pickle/],
    ["unknown_memo.bin", /damaged pickle/],
    ["missing_storage.bin", /storage that is not in the archive/],
    ["path_storage.bin", /storage that is not in the archive/],
    ["short_storage.bin", /15 bytes, but 4 elements of F32/],
  ];
  for (const [file, pattern] of cases) assert.match(await refusal(join(FIXTURES, file)), pattern, file);
});

Deno.test("openTorchFile: nesting without end and lists without number end too", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "x.bin");
    const pickled = (...parts: [string, number][]) => {
      const bytes = parts.flatMap(([text, times]) => Array.from(text.repeat(times), (each) => each.charCodeAt(0)));
      return Uint8Array.from([0x80, 2, ...bytes, 0x2e]);
    };
    await Deno.writeFile(path, archive({ "archive/data.pkl": pickled(["]", 1], ["\x85", 900_000]) }));
    assert.match(await refusal(path), /no tensors by name/);
    await Deno.writeFile(path, archive({ "archive/data.pkl": pickled(["(", 1], ["]", 1_000_001], ["t", 1]) }));
    assert.match(await refusal(path), /more than 1000000 lists/);
    await Deno.writeFile(path, archive({ "archive/data.pkl": new Uint8Array((1 << 24) + 1) }));
    assert.match(await refusal(path), /damaged or hostile/);
  }));

Deno.test("openTorchFile: every cut of a file, and every changed byte of its pickle and list, is refused or read", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "x.bin");
    const good = await Deno.readFile(join(FIXTURES, "good_by_hand.bin"));
    for (let length = 0; length < good.length; length++) {
      await Deno.writeFile(path, good.subarray(0, length));
      await refusal(path);
    }
    for (let at = 0; at < good.length; at++) {
      const changed = good.slice();
      changed[at] ^= 0xff;
      await Deno.writeFile(path, changed);
      await openTorchFile(path).then(
        (source) => source.close(),
        (error) => assert.ok(error instanceof EntailError && error.kind === "data", `byte ${at}: ${error}`),
      );
    }
  }));

Deno.test("openTorchFile: zip64, whose sizes and places stand in other fields", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, "x.bin");
    const good = await Deno.readFile(join(FIXTURES, "good_by_hand.bin"));
    const begin = new TextDecoder("latin1").decode(good).indexOf("archive/data.pkl") + "archive/data.pkl".length;
    const end = new TextDecoder("latin1").decode(good).indexOf("PK\x03\x04", begin);
    const files = {
      "archive/data.pkl": good.slice(begin, end),
      "archive/data/0": new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer),
    };
    for (const wide of [false, true]) {
      await Deno.writeFile(path, archive(files, wide));
      const source = await openTorchFile(path);
      assert.deepEqual(await source.readTensor("x"), Float32Array.of(2, 3, 4));
      source.close();
    }
  }));

/** A zip archive; a `wide` one has all its numbers in the fields of zip64. */
function archive(files: Record<string, Uint8Array>, wide = false): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  const length = (all: Uint8Array[]) => all.reduce((sum, { length }) => sum + length, 0);
  const record = (size: number, fill: (view: DataView) => void, ...rest: Uint8Array[]) => {
    const bytes = new Uint8Array(size);
    fill(new DataView(bytes.buffer));
    return [bytes, ...rest];
  };
  for (const [name, content] of Object.entries(files)) {
    const place = length(parts);
    const title = new TextEncoder().encode(name);
    parts.push(...record(
      30,
      (view) => {
        view.setUint32(0, 0x04034b50, true);
        view.setUint16(26, title.length, true);
      },
      title,
      content,
    ));
    const [extra] = record(28, (view) => {
      view.setUint16(0, 1, true);
      view.setUint16(2, 24, true);
      [content.length, content.length, place].forEach((value, i) => view.setBigUint64(4 + 8 * i, BigInt(value), true));
    });
    directory.push(...record(
      46,
      (view) => {
        view.setUint32(0, 0x02014b50, true);
        view.setUint32(20, wide ? 0xffffffff : content.length, true);
        view.setUint32(24, wide ? 0xffffffff : content.length, true);
        view.setUint16(28, title.length, true);
        view.setUint16(30, wide ? extra.length : 0, true);
        view.setUint32(42, wide ? 0xffffffff : place, true);
      },
      title,
      ...wide ? [extra] : [],
    ));
  }
  const begin = length(parts);
  const size = length(directory);
  parts.push(...directory);
  if (wide) {
    const end64 = length(parts);
    parts.push(...record(56, (view) => {
      view.setUint32(0, 0x06064b50, true);
      view.setBigUint64(40, BigInt(size), true);
      view.setBigUint64(48, BigInt(begin), true);
    }));
    parts.push(...record(20, (view) => {
      view.setUint32(0, 0x07064b50, true);
      view.setBigUint64(8, BigInt(end64), true);
    }));
  }
  parts.push(...record(22, (view) => {
    view.setUint32(0, 0x06054b50, true);
    view.setUint32(12, wide ? 0xffffffff : size, true);
    view.setUint32(16, wide ? 0xffffffff : begin, true);
  }));
  const bytes = new Uint8Array(length(parts));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
