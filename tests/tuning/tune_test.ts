import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { geluBackward, geluForward } from "../../src/nn/gelu.ts";
import { createPlan, fixedRows, type Plan } from "../../src/nn/plan.ts";
import { appendChosen, type Operation, type Variant } from "../../src/nn/variants.ts";
import { tuningCache } from "../../src/tuning/cache.ts";
import { type Call, measure } from "../../src/tuning/measure.ts";
import { tune, type TuneOptions } from "../../src/tuning/tune.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";

interface Shape {
  rows: number;
  columns: number;
}
interface GeluVariant extends Variant<Shape> {
  append(plan: Plan, tensors: { preActivation: Tensor; y: Tensor }, shape: Shape): void;
}

const rows = ({ gpu }: Plan, count: number) => fixedRows(gpu, "rows", count);
const everywhere = { adapters: ["software", "hardware"], suits: () => true } as const;

/** GELU with a variant that does the work forty times, a wrong one, and one that fails. */
const GELU: Operation<Shape, GeluVariant> = {
  name: "gelu",
  key: (shape) => `${shape.rows}x${shape.columns}`,
  variants: [
    {
      ...everywhere,
      name: "fortyfold",
      append(plan, tensors, shape) {
        for (let i = 0; i < 40; i++) geluForward(plan, tensors, { ...shape, rows: rows(plan, shape.rows) });
      },
    },
    {
      ...everywhere,
      name: "wrong",
      append: (plan, { preActivation, y }, shape) =>
        geluBackward(plan, { preActivation, dy: preActivation, dx: y }, { ...shape, rows: rows(plan, shape.rows) }),
    },
    {
      ...everywhere,
      name: "failing",
      append: (plan, { preActivation, y }) =>
        plan.dispatch({ kernel: "gelu", entry: "forward", bindings: { preActivation, y }, grid: () => [1] }),
    },
    {
      ...everywhere,
      name: "plain",
      append: (plan, tensors, shape) => geluForward(plan, tensors, { ...shape, rows: rows(plan, shape.rows) }),
    },
    { ...everywhere, adapters: [], name: "meant for none", append: () => assert.fail("tried") },
  ],
};

const NO_SIZES = { tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 };

/** Calls of GELU as a session makes them, on tensors that have no memory. */
function callsOf(gpu: Gpu, precision: "fp32" | "fp16", shapes: readonly Shape[]): Call[] {
  const plan = createPlan(gpu, "session", { precision });
  for (const shape of shapes) {
    const preActivation = plan.activation("pre-activation", [shape.rows, shape.columns]);
    const y = plan.activation("y", [shape.rows, shape.columns]);
    appendChosen(plan, GELU, shape, (other, variant) => variant.append(other, { preActivation, y }, shape));
  }
  return [...plan.choices.values()].map((choice) => ({ choice, precision, sizes: NO_SIZES }));
}

gpuTest("measure: right variants are timed in every precision, what is wrong or fails is reported", async (gpu) => {
  for (const precision of ["fp32", "fp16"] as const) {
    const [call] = callsOf(gpu, precision, [{ rows: 500, columns: 64 }]);
    assert.deepEqual(call.choice.variants, ["fortyfold", "wrong", "failing", "plain"]);
    const reports: string[] = [];
    let measured = 0;
    const times = await measure(gpu, call, call.choice.variants, {
      measured: () => measured++,
      wrong: (line) => reports.push(line),
    });
    assert.equal(measured, 4);
    assert.ok(times.plain! > 0 && times.fortyfold! > times.plain!, JSON.stringify(times));
    assert.equal(times.wrong, null);
    assert.equal(times.failing, null);
    assert.match(reports[0], /^gelu 500x64: wrong is left out: y\[\d+\] is .*, expected .* \(\d+ of 32000 are off\)$/);
    assert.match(reports[1], /^gelu 500x64: failing is left out: /);
  }
});

const options = (level: TuneOptions["level"], more: Partial<TuneOptions> = {}): TuneOptions => ({
  level,
  known: new Map(),
  progress() {},
  info() {},
  warn() {},
  ...more,
});

async function withCacheHome(test: () => Promise<void>): Promise<void> {
  const before = Deno.env.get("XDG_CACHE_HOME");
  await inTemporaryFolder(async (folder) => {
    Deno.env.set("XDG_CACHE_HOME", folder);
    try {
      await test();
    } finally {
      if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
      else Deno.env.set("XDG_CACHE_HOME", before);
    }
  });
}

gpuTest("tune: max tries everything, keeps it, and measures nothing twice", async (gpu) => {
  await withCacheHome(async () => {
    const calls = callsOf(gpu, "fp32", [{ rows: 2000, columns: 64 }, { rows: 30, columns: 10 }]);
    const warnings: string[] = [];
    const infos: string[] = [];
    const seen = options("max", { warn: (line) => warnings.push(line), info: (line) => infos.push(line) });
    const tuned = await tune(gpu, calls, seen);
    assert.equal(tuned.get("gelu 2000x64"), "plain");
    assert.ok(tuned.has("gelu 30x10"));
    assert.equal(warnings.length, 4);
    assert.match(infos.join("\n"), /^gpu\.tune=max: 2 calls measured in .*, kept in .*tuned-.*\.json$/);
    assert.deepEqual(await tune(gpu, calls, seen), tuned);
    assert.equal(infos.length, 1);
    assert.equal(warnings.length, 4);

    const cached = await tuningCache(gpu, assert.fail).read();
    assert.deepEqual(Object.keys(cached).sort(), ["gelu 2000x64", "gelu 30x10"]);
    const known = new Map([["gelu 2000x64", "fortyfold"]]);
    assert.equal((await tune(gpu, calls, options("max", { known }))).get("gelu 2000x64"), "fortyfold");
    assert.equal(await tune(gpu, calls, options("off", { known })), known);

    // What is tuned is what a plan chooses.
    const plan = createPlan({ ...gpu, tuned }, "tuned");
    const shape = { rows: 2000, columns: 64 };
    let chosen = "";
    appendChosen(plan, GELU, shape, (_, { name }) => chosen = name);
    assert.equal(chosen, "plain");
    assert.equal(plan.choices.get("gelu 2000x64")!.why, "measured");
  });
});

gpuTest("tune: quick leaves alone what takes no time, and the later rows of a table", async (gpu) => {
  await withCacheHome(async () => {
    const calls = callsOf(gpu, "fp32", [{ rows: 20000, columns: 64 }, { rows: 1, columns: 8 }]);
    const tuned = await tune(gpu, calls, options("quick"));
    assert.deepEqual([...tuned], [["gelu 20000x64", "fortyfold"]]);
    const cached = await tuningCache(gpu, assert.fail).read();
    assert.deepEqual(Object.keys(cached["gelu 20000x64"]), ["fortyfold", "wrong", "failing"]);
    assert.deepEqual(Object.keys(cached["gelu 1x8"]), ["fortyfold"]);
    assert.equal((await tune(gpu, calls, options("max"))).get("gelu 20000x64"), "plain");
  });
});
