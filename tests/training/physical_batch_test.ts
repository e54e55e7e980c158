import assert from "node:assert/strict";
import { join } from "node:path";
import { EntailError } from "../../src/errors.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { crossValidate, type CrossValidateOptions } from "../../src/training/cross_validation.ts";
import { openModelSource } from "../../src/training/model_source.ts";
import { openFittingSession, tokenBudgets, type Tuner } from "../../src/training/physical_batch.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { trainingOptions } from "../../src/training/run.ts";
import { loadRunData } from "../../src/training/run_data.ts";
import { openSession, sessionBytes } from "../../src/training/session.ts";
import { assertClose } from "../support/close.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder, runConfig } from "../support/run_data.ts";
import { digestOf } from "../support/run_pieces.ts";

Deno.test("tokenBudgets: four to each halving, the largest first, down to the longest sequence", () => {
  assert.deepEqual(tokenBudgets(160, 45), [160, 140, 120, 100, 80, 70, 60, 50, 45]);
  assert.deepEqual(tokenBudgets(45, 45), [45]);
  assert.deepEqual(tokenBudgets(3, 1), [3, 2, 1]);
});

gpuTest("openFittingSession: less memory means smaller micro-batches", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const config = runConfig(folder, "training.target_effective_batch_size=24", "training.eval_batch_size=1");
    const model = await openModelSource(config);
    const data = await loadRunData(config, model, silentReporter);
    const open = async (memory: Partial<Gpu>, known?: number) => {
      const { session, tokenBudget } = await openFittingSession({ ...gpu, ...memory }, config, model.config, data, {
        known,
      });
      session.release();
      return tokenBudget!;
    };
    const whole = trainingOptions(gpu, config, model.config, data).training!.capacity.tokens;
    assert.equal(await open({ maxBindingBytes: 1 << 22 }), whole);
    const [some, few] = [await open({ maxBindingBytes: 64 << 10 }), await open({ maxBindingBytes: 48 << 10 })];
    assert.ok(some < whole && few < some, `${[whole, some, few]}`);
    assert.equal(await open({}, few), few);
    // What is planned is what is taken, but for small tables that a device keeps for all its sessions.
    const options = trainingOptions(gpu, config, model.config, data, some);
    const { device } = gpu;
    const { createBuffer } = device;
    let taken = 0;
    device.createBuffer = (descriptor) => {
      taken += descriptor.size;
      return createBuffer.call(device, descriptor);
    };
    const session = await openSession(gpu, model.config, options);
    Reflect.deleteProperty(device, "createBuffer");
    const planned = await sessionBytes(gpu, model.config, options);
    assert.ok(planned >= taken && planned <= taken + (1 << 17), `${planned} planned, ${taken} taken`);
    session.release();
  });
});

gpuTest(
  "openFittingSession: computes activations twice only where asked to, or where nothing else fits",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      const configOf = (...more: string[]) => runConfig(folder, "training.eval_batch_size=1", ...more);
      const model = await openModelSource(configOf());
      const data = await loadRunData(configOf(), model, silentReporter);
      const bytesOf = async (on: Gpu, recompute: boolean) => {
        const { training, ...options } = trainingOptions(on, configOf(TARGET), model.config, data);
        return await sessionBytes(on, model.config, { ...options, training: { ...training!, recompute } });
      };
      /** On a device with so much memory. */
      const open = async (most: number, on: Gpu, ...more: string[]) => {
        const tuned: Tuner = async (on, config, options) => {
          if (await sessionBytes(on, config, options) <= most) return on;
          throw new EntailError("memory", "out of memory on the device");
        };
        const { session, tokenBudget } = await openFittingSession(on, configOf(...more), model.config, data, { tuned });
        session.release();
        return { recompute: session.recompute, tokenBudget };
      };
      const TARGET = "training.target_effective_batch_size=24";
      const whole = trainingOptions(gpu, configOf(TARGET), model.config, data).training!.capacity.tokens;
      const batch = ["training.batch_size=24"];
      const [kept, twice] = [await bytesOf(gpu, false), await bytesOf(gpu, true)];
      assert.ok(twice < 0.9 * kept, `${twice} of ${kept}`);
      assert.deepEqual(await open(kept, gpu, ...batch), { recompute: false, tokenBudget: null });
      assert.deepEqual(await open(kept - 1, gpu, ...batch), { recompute: true, tokenBudget: null });
      assert.deepEqual(await open(kept, gpu, ...batch, "training.recompute=true"), {
        recompute: true,
        tokenBudget: null,
      });
      await assert.rejects(open(kept - 1, gpu, ...batch, "training.recompute=false"), { kind: "memory" });
      await assert.rejects(open(twice - 1, gpu, ...batch), { kind: "memory" });

      assert.deepEqual(await open(kept, gpu, TARGET), { recompute: false, tokenBudget: whole });
      // An adapter that runs on the CPU is as fast with small micro-batches, others are not with so few tokens.
      const smaller = await open(kept - 1, gpu, TARGET);
      assert.ok(!smaller.recompute && smaller.tokenBudget! < whole);
      const hardware = { ...gpu, kind: "hardware" } as const;
      const least = await bytesOf(hardware, true);
      assert.deepEqual(await open(least, hardware, TARGET), { recompute: true, tokenBudget: whole });
    });
  },
);

gpuTest(
  "crossValidate: a step dealt by tokens is the step, and a run keeps the budget that it began with",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      // For five of the pairs, all of 48 tokens: 5 + 3 of a step's eight, of which the posts of two pairs stay whole.
      const little = { ...gpu, maxBindingBytes: 48 << 10 };
      const changed = [
        "model.loss_type=bce+rank",
        "model.rank_margin=9",
        "training.target_effective_batch_size=8",
        "training.eval_batch_size=1",
        "training.num_epochs=2",
        "data.max_length=48",
      ];
      const train = async (on: Gpu, name: string, more: string[], options: Partial<CrossValidateOptions> = {}) => {
        const config = runConfig(folder, ...changed, ...more, `output_dir=${join(folder, name)}`);
        await crossValidate(on, config, { fold: 0, reporter: silentReporter, ...options });
      };
      const textOf = (name: string, path: string) => Deno.readTextFileSync(join(folder, name, path));
      const budgetOf = (name: string) => JSON.parse(textOf(name, "run.json")).token_budget;
      const countersOf = (name: string) =>
        JSON.parse(textOf(name, "checkpoints/fold_0/last/trainer_state.json")).counters;
      const stepsOf = (name: string) => {
        const lines = textOf(name, "fold_0/metrics.jsonl").trim().split("\n").map((line) => JSON.parse(line));
        return lines.filter((line) => "step" in line);
      };

      // Without dropout, whose draws are by micro-batch: the same losses and gradients, twelve pairs in steps of 8 and 4.
      const none = ["hidden", "attention", "classifier"].map((site) => `model.${site}_dropout=0`);
      await train(gpu, "whole", none);
      await train(little, "dealt", none);
      assert.deepEqual(countersOf("whole"), { updates: 4, microBatches: 4 });
      assert.deepEqual(countersOf("dealt"), { updates: 4, microBatches: 6 });
      for (const key of ["loss", "grad_norm"]) {
        const [dealt, whole] = ["dealt", "whole"].map((name) => stepsOf(name).map((line) => line[key]));
        assertClose(dealt, whole, { atol: 0, rtol: 1e-4 }, key);
      }

      await train(little, "unbroken", []);
      const controller = new AbortController();
      const reporter = { ...silentReporter, training: () => controller.abort() };
      const stopped = train(little, "broken", [], { reporter, signal: controller.signal });
      await assert.rejects(stopped, { kind: "interrupted" });
      assert.ok(countersOf("broken").updates < 4);
      await train(little, "broken", []);
      for (const file of ["fold_0/metrics.jsonl", "checkpoints/fold_0/last/model.safetensors"]) {
        const [broken, unbroken] = ["broken", "unbroken"].map((name) => digestOf(join(folder, name, file)));
        assert.equal(await broken, await unbroken, file);
      }
      // More memory than it began with changes nothing about it.
      await train(gpu, "broken", [], { fold: 1 });
      assert.equal(budgetOf("broken"), budgetOf("unbroken"));
    });
  },
);
