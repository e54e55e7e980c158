import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { openCheckpointTensors, weightFiles } from "../../src/formats/checkpoint_tensors.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function isDataError(pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof EntailError && error.kind === "data" && pattern.test(error.message);
}

function write(path: string, names: string[], value: number): Promise<void> {
  return writeSafetensors(
    path,
    names.map((name) => ({
      name,
      shape: [2],
      dtype: "F32",
      read: async (emit) => await emit(Float32Array.of(value, 9)),
    })),
  );
}

Deno.test("openCheckpointTensors: one file", () =>
  inFolder(async (folder) => {
    await write(`${folder}/model.safetensors`, ["a", "b"], 1);
    const source = await openCheckpointTensors(folder);
    assert.deepEqual([...source.tensors.keys()], ["a", "b"]);
    assert.deepEqual(await source.readTensor("b"), Float32Array.of(1, 9));
    source.close();
  }));

Deno.test("openCheckpointTensors: shards", () =>
  inFolder(async (folder) => {
    await write(`${folder}/one.safetensors`, ["a", "b"], 1);
    await write(`${folder}/two.safetensors`, ["c"], 2);
    const index = { metadata: {}, weight_map: { a: "one.safetensors", c: "two.safetensors", b: "one.safetensors" } };
    await Deno.writeTextFile(`${folder}/model.safetensors.index.json`, JSON.stringify(index));
    const source = await openCheckpointTensors(folder);
    assert.deepEqual([...source.tensors.keys()], ["a", "c", "b"]);
    assert.deepEqual(await source.readTensor("c", { countElements: 1 }), Float32Array.of(2));
    assert.deepEqual(await source.readTensor("a"), Float32Array.of(1, 9));
    await assert.rejects(source.readTensor("d"), isDataError(/has no tensor "d"/));
    source.close();
  }));

Deno.test("openCheckpointTensors: safetensors before its index, before a bin, before the bin's index", () =>
  inFolder(async (folder) => {
    const bins = new URL("../fixtures/formats/torch/", import.meta.url).pathname;
    const index = JSON.stringify({ weight_map: { b: "types.bin" } });
    await Deno.copyFile(`${bins}sharded/pytorch_model-00002-of-00002.bin`, `${folder}/types.bin`);
    await Deno.writeTextFile(`${folder}/pytorch_model.bin.index.json`, index);
    const names = async () => {
      const source = await openCheckpointTensors(folder);
      source.close();
      const files = (await weightFiles(folder)).map((file) => file.slice(folder.length + 1));
      return [[...source.tensors.keys()].join(" "), ...files];
    };
    assert.deepEqual(await names(), ["b", "pytorch_model.bin.index.json", "types.bin"]);
    await Deno.copyFile(`${bins}sharded/pytorch_model-00001-of-00002.bin`, `${folder}/pytorch_model.bin`);
    assert.deepEqual(await names(), ["a c", "pytorch_model.bin"]);
    await write(`${folder}/one.safetensors`, ["d", "e"], 1);
    const shards = JSON.stringify({ weight_map: { d: "one.safetensors" } });
    await Deno.writeTextFile(`${folder}/model.safetensors.index.json`, shards);
    assert.deepEqual(await names(), ["d", "model.safetensors.index.json", "one.safetensors"]);
    await write(`${folder}/model.safetensors`, ["f"], 1);
    assert.deepEqual(await names(), ["f", "model.safetensors"]);
  }));

Deno.test("openCheckpointTensors: missing files, shards and tensors are data errors", () =>
  inFolder(async (folder) => {
    await assert.rejects(openCheckpointTensors(`${folder}/none`), isDataError(/none: no such folder/));
    await assert.rejects(openCheckpointTensors(folder), isDataError(/no model\.safetensors/));
    await Deno.writeTextFile(`${folder}/pytorch_model.bin`, "");
    await assert.rejects(openCheckpointTensors(folder), isDataError(/pytorch_model\.bin: .*truncated/));
    await Deno.writeTextFile(
      `${folder}/pytorch_model.bin`,
      "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    );
    await assert.rejects(
      openCheckpointTensors(folder),
      isDataError(/pytorch_model\.bin: is git-lfs's pointer.*git lfs pull/),
    );
    await write(`${folder}/one.safetensors`, ["a"], 1);
    const cases: [unknown, RegExp][] = [
      [{}, /index\.json: has no "weight_map"/],
      [{ weight_map: { a: "two.safetensors" } }, /two\.safetensors: no such file/],
      [{ weight_map: { a: "one.safetensors", z: "one.safetensors" } }, /one\.safetensors: has no tensor "z"/],
      [{ weight_map: { a: "../one.safetensors" } }, /"a": "\.\.\/one\.safetensors" is not a file name/],
      [{ weight_map: { a: ".." } }, /"a": "\.\." is not a file name/],
    ];
    for (const [index, pattern] of cases) {
      await Deno.writeTextFile(`${folder}/model.safetensors.index.json`, JSON.stringify(index));
      await assert.rejects(openCheckpointTensors(folder), isDataError(pattern));
    }
  }));
