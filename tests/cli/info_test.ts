import assert from "node:assert/strict";
import type { Choice } from "../../src/nn/plan.ts";
import { tuningCache } from "../../src/tuning/cache.ts";
import { entail, failure } from "../support/command_line.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const MODEL = ["model=deberta_tiny", "training.batch_size=2", "data.max_length=16"];

gpuTest("entail info: the variants of every operation; with a model, those it gets and why", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const info = async (...args: string[]) => {
      const { code, stdout, stderr } = await entail(["info", "--json", ...args], undefined, { XDG_CACHE_HOME: folder });
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    };
    const plain = await info();
    assert.deepEqual(Object.keys(plain.kernels), ["product", "attention", "row"]);
    assert.equal(plain.choices, undefined);

    const { choices, parameters } = await info(...MODEL) as { choices: Choice[]; parameters: Record<string, number> };
    assert.equal(parameters.trained, parameters.all);
    const { parameters: adapted } = await info(...MODEL, "model.lora.r=4");
    // Of three layers of width 64: four A and B of rank 4; and the head.
    const lora = 3 * 4 * 2 * 4 * 64;
    assert.deepEqual(adapted, { all: parameters.all + lora, trained: lora + 64 * 64 + 64 + 2 * 64 + 2 });
    assert.ok(
      choices.every(({ why, variant, variants }) => why === "usual for this adapter" && variant === variants[0]),
    );
    const { operation, key, variants } = choices.find((choice) => choice.key.startsWith("32x64x64 "))!;
    assert.equal(operation, "product");

    const cache = tuningCache(gpu, assert.fail, `${folder}/entail`);
    const fast = variants.at(-1)!;
    await cache.add({ [`product ${key}`]: { [variants[0]]: 2, [fast]: 1 } });
    const tuned = (await info(...MODEL, "gpu.tune=quick")).choices as Choice[];
    const measured = tuned.filter(({ why }) => why === "measured");
    assert.deepEqual(measured.map((choice) => [choice.key, choice.variant]), [[key, fast]]);
    assert.deepEqual((await info(...MODEL)).choices, choices);
    const off = await info(...MODEL, "gpu.tune=quick", "training.optimization.use_torch_compile=false");
    assert.deepEqual(off.choices, choices);
  });
});

Deno.test("entail info gpu.backend=auto: whose WebGPU that came to, and why", async () => {
  const { adapter } = JSON.parse((await entail(["info", "--json", "gpu.backend=auto"])).stdout);
  assert.equal(adapter.backend, adapter.can.matrices ? "dawn" : "deno");
  const { stdout } = await entail(["info", "gpu.backend=auto"]);
  const row = stdout.split("\n").find((line) => line.includes("backend"));
  assert.ok(row!.includes(`${adapter.backend} (auto: ${adapter.whyBackend})`), stdout);
  const asked = JSON.parse((await entail(["info", "--json"])).stdout).adapter;
  assert.equal(asked.whyBackend, undefined);
});

Deno.test("entail check --shader: the expanded kernel on stdout; mistakes are the user's", async () => {
  const { code, stdout } = await entail(["check", "--shader", "gelu.forward", "COLUMNS=12"]);
  assert.equal(code, 0);
  assert.match(stdout, /^\/\/ kernels\/gelu\.wgsl, entry point forward, .*\n\/\/ constants: COLUMNS=12\n/);
  assert.match(stdout, /^lib\/quads\.wgsl:5 +\| const QUADS = 3u;/m);
  assert.deepEqual(await failure(["check", "COLUMNS=12"]), [
    2,
    "error: check COLUMNS=12: only --shader takes settings",
  ]);
  const [status, line] = await failure(["check", "--shader", "gelu.forward", "COLUMNS=K"]);
  assert.equal(status, 2);
  assert.match(line, /kernels\/\S+\.wgsl:\d+/);
});
