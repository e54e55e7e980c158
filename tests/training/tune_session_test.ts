import assert from "node:assert/strict";
import { join } from "node:path";
import { composeConfig, type Config } from "../../src/config/config.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { addChosenKernels, chosenKernels, KERNELS_FILE } from "../../src/training/chosen_kernels.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { tuneLevel } from "../../src/training/tune_session.ts";
import { type Times, tuningCache } from "../../src/tuning/cache.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder, runConfig } from "../support/run_data.ts";

const ONE_FOLD = { fold: 0, reporter: silentReporter };

const readChosen = async (run: string): Promise<Record<string, string>> => {
  const { adapters } = JSON.parse(await Deno.readTextFile(join(run, KERNELS_FILE)));
  return Object.values(adapters)[0] as Record<string, string>;
};

/** Trains until the second report of steps, then as far as it goes; between the two, `meanwhile`. */
async function inTwoSittings(gpu: Gpu, config: Config, meanwhile: () => Promise<void>): Promise<void> {
  const controller = new AbortController();
  let reports = 0;
  const reporter = { ...silentReporter, training: () => void (++reports === 2 && controller.abort()) };
  await assert.rejects(crossValidate(gpu, config, { fold: 0, reporter, signal: controller.signal }), /interrupted/);
  await meanwhile();
  await crossValidate(gpu, config, ONE_FOLD);
}

/** A cache in which the last right variant of everything is by far the fastest, or the first one. */
async function pretend(gpu: Gpu, which: "first" | "last"): Promise<Times> {
  const cache = tuningCache(gpu, assert.fail);
  const times = Object.fromEntries(
    Object.entries(await cache.read()).map(([id, of]) => {
      const names = Object.keys(of);
      const fast = which === "last" ? names.length - 1 : 0;
      return [id, Object.fromEntries(names.map((name, at) => [name, at === fast ? 1 : 1000]))];
    }),
  );
  await cache.add(times);
  return times;
}

gpuTest(
  "crossValidate: a run that goes on after the tuning cache changed keeps its kernels and its bits",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      const before = Deno.env.get("XDG_CACHE_HOME");
      Deno.env.set("XDG_CACHE_HOME", join(folder, "cache"));
      try {
        const config = (name: string, tune: string) =>
          runConfig(folder, `output_dir=${join(folder, name)}`, `gpu.tune=${tune}`, "training.max_steps=5");
        const metrics = (name: string) => Deno.readTextFile(join(folder, name, "fold_0/metrics.jsonl"));

        // Whatever is really the fastest: the first run has the last variants, and the second one would have the first.
        await crossValidate(gpu, config("measured", "max"), ONE_FOLD);
        const times = await pretend(gpu, "last");
        assert.ok(Object.keys(times).some((id) => id.startsWith("product ")), "nothing was tuned");
        await crossValidate(gpu, config("whole", "max"), ONE_FOLD);
        const chosen = await readChosen(join(folder, "whole"));
        const measured = Object.entries(times).filter(([id]) => id in chosen);
        assert.ok(measured.length > 10, `${measured.length}`);
        for (const [id, of] of measured) assert.equal(chosen[id], Object.keys(of).at(-1), id);

        await inTwoSittings(gpu, config("resumed", "max"), async () => void await pretend(gpu, "first"));
        assert.deepEqual(await readChosen(join(folder, "resumed")), chosen);
        assert.equal(await metrics("resumed"), await metrics("whole"));

        await crossValidate(gpu, config("untuned", "off"), ONE_FOLD);
        assert.notDeepEqual(await readChosen(join(folder, "untuned")), chosen);
      } finally {
        if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
        else Deno.env.set("XDG_CACHE_HOME", before);
      }
    });
  },
);

gpuTest("chosenKernels: by adapter, what was there first stays, a damaged file is named", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const choice = (key: string, variant: string) =>
      ({ operation: "product", key, variant, why: "measured", variants: [variant], calls: 1 }) as const;
    const other = { ...gpu, name: "another adapter" };
    assert.equal((await chosenKernels(folder, gpu)).size, 0);
    await addChosenKernels(folder, gpu, [choice("a", "registers")]);
    await addChosenKernels(folder, other, [choice("a", "tiles")]);
    await addChosenKernels(folder, gpu, [choice("b", "windows")]);
    assert.deepEqual([...await chosenKernels(folder, gpu)], [["product a", "registers"], ["product b", "windows"]]);
    assert.deepEqual([...await chosenKernels(folder, other)], [["product a", "tiles"]]);
    await Deno.writeTextFile(join(folder, KERNELS_FILE), "[]");
    await assert.rejects(chosenKernels(folder, gpu), /kernels\.json: does not say .*; remove it/);
  });
});

Deno.test("tuneLevel: off without use_torch_compile, whatever gpu.tune says", () => {
  const level = (...overrides: string[]) => tuneLevel(composeConfig(overrides));
  assert.equal(level(), "off");
  assert.equal(level("gpu.tune=quick"), "quick");
  assert.equal(level("gpu.tune=max", "training.optimization.use_torch_compile=false"), "off");
});
