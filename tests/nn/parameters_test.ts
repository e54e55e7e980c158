import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { narrow, widen } from "../../src/gpu/dtype.ts";
import { readTensor, TENSOR_ALIGNMENT } from "../../src/gpu/tensor.ts";
import { createParameterStore, type ParameterSpec } from "../../src/nn/parameters.ts";
import { randomArray } from "../support/close.ts";
import { gpuTest } from "../support/gpu.ts";

const spec = (name: string, shape: number[], decay = true, trainable = true): ParameterSpec => ({
  name,
  shape,
  decay,
  trainable,
});

const SPECS = [
  spec("table", [40, 30]),
  spec("bias", [37], false),
  spec("weight", [37, 30]),
  spec("frozen", [5, 30], true, false),
  spec("norm", [30], false),
];

gpuTest("createParameterStore: windows are aligned, disjoint, decayed ones first, frozen ones apart", async (gpu) => {
  const store = await createParameterStore(gpu, SPECS, { moments: true });
  assert.equal(store.chunks.length, 2);
  const [trained, frozen] = store.chunks;
  assert.equal(trained.trainable, true);
  assert.equal(frozen.trainable, false);
  assert.equal(frozen.gradients, null);
  assert.equal(frozen.firstMoment, null);
  assert.equal(frozen.secondMoment, null);
  assert.equal(trained.elements, 1216 + 1152 + 64 + 64);
  assert.equal(trained.decayedElements, 1216 + 1152);
  const trainedNames = SPECS.filter(({ trainable }) => trainable).map(({ name }) => name);
  const windows = trainedNames.map((name) => store.value(name)).sort((a, b) => a.offset - b.offset);
  windows.forEach((window, i) => {
    assert.equal(window.offset % TENSOR_ALIGNMENT, 0);
    if (i > 0) assert.ok(window.offset >= windows[i - 1].offset + windows[i - 1].bytes, window.label);
  });
  assert.ok(store.value("weight").offset < trained.decayedElements * 4);
  assert.ok(store.value("bias").offset >= trained.decayedElements * 4);
  for (const name of trainedNames) assert.equal(store.gradient(name).offset, store.value(name).offset);
  assert.throws(() => store.gradient("frozen"), /frozen/);
  assert.throws(() => store.value("nothing"), /no parameter is called nothing/);
  assert.equal(store.bytes, (trained.elements * 4 + frozen.elements) * 4);
  assert.equal(store.bytes, 4 * (4 * trained.elements + frozen.elements));
  store.release();
});

gpuTest("createParameterStore: values alone take a quarter of the memory", async (gpu) => {
  const store = await createParameterStore(gpu, SPECS, { moments: false });
  assert.ok(store.chunks.every(({ gradients, firstMoment }) => gradients === null && firstMoment === null));
  assert.equal(store.bytes, 4 * store.chunks.reduce((sum, { elements }) => sum + elements, 0));
  assert.throws(() => store.gradient("weight"), /values alone/);
  store.release();
});

gpuTest("upload, read: every role of every parameter keeps its own data, padding stays zero", async (gpu) => {
  const store = await createParameterStore(gpu, SPECS, { moments: true });
  const roles = ["value", "gradient", "firstMoment", "secondMoment"] as const;
  const data = new Map<string, Float32Array>();
  for (const [i, { name, shape, trainable }] of SPECS.entries()) {
    for (const [j, role] of roles.entries()) {
      if (!trainable && role !== "value") continue;
      const values = randomArray(shape.reduce((a, b) => a * b), 10 * i + j);
      data.set(`${name} ${role}`, values);
      store.upload(name, role, values);
    }
  }
  for (const [key, values] of data) {
    const [name, role] = key.split(" ") as [string, typeof roles[number]];
    assert.deepEqual(await store.read(name, role), values, key);
  }
  const { elements, values } = store.chunks[0];
  const used = SPECS.filter(({ trainable }) => trainable).reduce(
    (sum, { shape }) => sum + shape.reduce((a, b) => a * b),
    0,
  );
  const whole = await readTensor(gpu, values!);
  assert.equal(whole.filter((value) => value === 0).length, elements - used);
  assert.throws(() => store.upload("bias", "value", new Float32Array(38)), RangeError);
  await assert.rejects(store.read("bias", "value", 30, 8), RangeError);
  store.release();
});

gpuTest("createParameterStore: a parameter larger than a chunk becomes shards of whole rows", async (gpu) => {
  const maxChunkBytes = 2048; // 17 rows of 30 elements
  const store = await createParameterStore(gpu, [spec("table", [40, 30]), spec("bias", [37], false)], {
    moments: true,
    maxChunkBytes,
  });
  const shards = store.valueShards("table");
  assert.deepEqual(shards.map(({ rowBegin, rows }) => [rowBegin, rows]), [[0, 17], [17, 17], [34, 6]]);
  assert.ok(shards.every(({ tensor }) => tensor.offset === 0 && tensor.shape[1] === 30));
  assert.equal(new Set(shards.map(({ tensor }) => tensor.buffer)).size, 3);
  assert.deepEqual(store.gradientShards("table").map(({ rows }) => rows), [17, 17, 6]);
  assert.throws(() => store.value("table"), { kind: "memory", message: /table takes/ });
  assert.ok(store.chunks.every(({ elements }) => elements * 4 <= maxChunkBytes));
  assert.equal(store.valueShards("bias").length, 1);

  const data = randomArray(40 * 30, 5);
  store.upload("table", "value", data.subarray(0, 700));
  store.upload("table", "value", data.subarray(700), 700);
  assert.deepEqual(await store.read("table", "value"), data);
  assert.deepEqual(await store.read("table", "value", 500, 530), data.slice(500, 1030));
  assert.deepEqual(await readTensor(gpu, shards[2].tensor), data.slice(34 * 30));
  store.release();
});

/** `wide` can be half; `odd` has rows that are not whole quads. */
const PRODUCTS: ParameterSpec[] = [
  ...SPECS,
  { ...spec("wide", [5, 36]), product: true },
  { ...spec("odd", [6, 30]), product: true },
  { ...spec("next", [7, 4]), product: true },
];

gpuTest("createParameterStore: weights of products have a half copy in a chunk of their own", async (gpu) => {
  const plain = await createParameterStore(gpu, PRODUCTS, { moments: true });
  assert.equal(plain.compute("wide"), plain.value("wide"));
  for (const [precision, dtype] of [["fp16", "f16"], ["bf16", "bf16"]] as const) {
    const store = await createParameterStore(gpu, PRODUCTS, { moments: true, precision });
    const halves = store.chunks.filter(({ compute }) => compute !== null);
    assert.deepEqual(halves.map(({ elements, trainable }) => [elements, trainable]), [[256 + 128, true]]);
    assert.equal(store.compute("odd"), store.value("odd"));
    assert.equal(store.compute("bias"), store.value("bias"));
    for (const name of ["wide", "next"]) {
      const [value, compute] = [store.value(name), store.compute(name)];
      assert.deepEqual([compute.dtype, compute.shape, 2 * compute.offset], [dtype, value.shape, value.offset]);
      assert.equal(compute.offset % TENSOR_ALIGNMENT, 0);
      const data = randomArray(value.bytes / 4, 7);
      store.upload(name, "value", data.subarray(0, 10));
      store.upload(name, "value", data.subarray(10), 10);
      assert.deepEqual(await store.read(name, "value"), data);
      assert.deepEqual(await readTensor(gpu, compute), widen(narrow(data, dtype), dtype));
      assert.throws(() => store.upload(name, "value", data.subarray(0, 3)), RangeError);
    }
    const total = store.chunks.reduce((sum, { elements, trainable }) => sum + elements * (trainable ? 16 : 4), 0);
    assert.equal(store.bytes, total + 2 * (256 + 128));
    store.release();
  }
  plain.release();
});

gpuTest("createParameterStore: to compute in half precision alone, the half copy is enough", async (gpu) => {
  const store = await createParameterStore(gpu, PRODUCTS, { moments: false, precision: "fp16" });
  const full = await createParameterStore(gpu, PRODUCTS, { moments: false });
  const own = store.chunks.filter(({ values }) => values !== null).reduce((sum, { elements }) => sum + elements, 0);
  assert.equal(store.bytes, 4 * own + 2 * (256 + 128));
  assert.ok(store.bytes < full.bytes);
  const data = randomArray(180, 8);
  store.upload("wide", "value", data);
  assert.deepEqual(await readTensor(gpu, store.compute("wide")), widen(narrow(data, "f16"), "f16"));
  assert.throws(
    () => store.value("wide"),
    /wide has no value: only what products read of it is held, computing in fp16/,
  );
  await assert.rejects(store.read("wide", "value"), /what products read/);
  const valuesOf = await store.readAll("value");
  assert.throws(() => valuesOf("wide"), /what products read/);
  store.release();
  full.release();
});

gpuTest("createParameterStore: a row that no binding can see is out of memory", async (gpu) => {
  await assert.rejects(
    createParameterStore(gpu, [spec("wide", [2, 1000])], { moments: false, maxChunkBytes: 1024 }),
    (error) => error instanceof EntailError && error.kind === "memory" && /wide/.test(error.message),
  );
});

gpuTest("createParameterStore: two parameters of one name are refused", async (gpu) => {
  await assert.rejects(createParameterStore(gpu, [spec("a", [1]), spec("a", [1])], { moments: false }), /called a/);
});
