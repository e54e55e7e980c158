import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import type { Direction } from "../../src/studies/frozen_trial.ts";
import { bracketBudgets, bracketOf, HyperbandPruner } from "../../src/studies/hyperband_pruner.ts";
import { KeepFirstTrialsPruner } from "../../src/studies/keep_first_trials_pruner.ts";
import { MedianPruner } from "../../src/studies/median_pruner.ts";
import { NopPruner } from "../../src/studies/nop_pruner.ts";
import type { Pruner } from "../../src/studies/pruner.ts";
import { RandomSampler } from "../../src/studies/random_sampler.ts";
import { createStudy } from "../../src/studies/study.ts";
import { SuccessiveHalvingPruner } from "../../src/studies/successive_halving_pruner.ts";
import { TrialPruned } from "../../src/studies/trial.ts";
import { curve } from "./functions.ts";

interface Run {
  kind: "hyperband" | "halving" | "median";
  options: Record<string, never>;
  direction: Direction;
  states: string;
  lastSteps: number[];
  rungs: Record<string, Record<string, number>>;
}

/** What Optuna 5.0.0 decided, see tests/oracles/studies_fixtures.py. */
const fixture: { runs: Run[]; brackets: { resources: [number, number, number]; budgets: number[]; ids: number[] }[] } =
  JSON.parse(Deno.readTextFileSync(new URL("../fixtures/studies/pruners.json", import.meta.url)));

function makePruner({ kind, options }: Run): Pruner {
  if (kind === "hyperband") return new HyperbandPruner(options);
  return kind === "halving" ? new SuccessiveHalvingPruner(options) : new MedianPruner(options);
}

for (const run of fixture.runs) {
  Deno.test(`${run.kind}: decides as Optuna does (${run.direction} ${JSON.stringify(run.options)})`, async () => {
    const study = await createStudy({
      studyName: "pruned study",
      direction: run.direction,
      sampler: new RandomSampler({ seed: 5 }),
      pruner: makePruner(run),
      heartbeat: null,
    });
    await study.optimize(async (trial) => {
      const x = trial.suggestFloat("x", 0, 1);
      for (let step = 1; step <= 9; step++) {
        const nan = trial.number % 11 === 7 && step % 3 === 0;
        await trial.report(nan ? NaN : curve(x, trial.number, step), step);
        if (await trial.shouldPrune()) throw new TrialPruned();
      }
      return x;
    }, { nTrials: 50 });
    assert.equal(study.trials.map((trial) => trial.state[0]).join(""), run.states);
    assert.deepEqual(study.trials.map((trial) => Math.max(...trial.intermediateValues.keys())), run.lastSteps);
    const rungs = study.trials.filter((trial) => "completed_rung_0" in trial.systemAttrs).map((trial) => {
      const own = Object.entries(trial.systemAttrs).filter(([key]) => key.startsWith("completed_rung_"));
      return [String(trial.number), Object.fromEntries(own)];
    });
    assert.deepEqual(Object.fromEntries(rungs), run.rungs);
  });
}

Deno.test("bracketOf, bracketBudgets: Optuna's brackets", () => {
  for (const { resources, budgets, ids } of fixture.brackets) {
    assert.deepEqual(bracketBudgets(...resources), budgets, `budgets for ${resources}`);
    assert.deepEqual(ids.map((_, number) => bracketOf("study", number, budgets)), ids, `brackets for ${resources}`);
  }
});

Deno.test("NopPruner: never prunes", () => {
  assert.deepEqual(new NopPruner().decide(), { prune: false, systemAttrs: {} });
});

Deno.test("HyperbandPruner, SuccessiveHalvingPruner, MedianPruner: refuse settings that cannot work", () => {
  const usage = (error: unknown) => error instanceof EntailError && error.kind === "usage";
  assert.throws(() => new HyperbandPruner({ bootstrapCount: 1 }), usage);
  assert.throws(() => new HyperbandPruner({ maxResource: 0 }), usage);
  assert.throws(() => new HyperbandPruner({ maxResource: 9, reductionFactor: 1 }), usage);
  assert.throws(() => new HyperbandPruner({ maxResource: 9, minResource: 0 }), usage);
  assert.throws(() => new SuccessiveHalvingPruner({ minResource: "auto", bootstrapCount: 1 }), usage);
  assert.throws(() => new MedianPruner({ intervalSteps: 0 }), usage);
});

Deno.test("KeepFirstTrialsPruner: keeps the first trials, which still count at their rungs", async () => {
  const halving = () => new SuccessiveHalvingPruner({ minResource: 1, reductionFactor: 2 });
  const run = async (pruner: Pruner) => {
    const study = await createStudy({ pruner, heartbeat: null });
    await study.optimize(async (trial) => {
      // Every trial is worse than the one before, so halving prunes all but the first at once.
      for (let step = 1; step <= 4; step++) {
        await trial.report(trial.number, step);
        if (await trial.shouldPrune()) throw new TrialPruned();
      }
      return trial.number;
    }, { nTrials: 6 });
    return study.trials;
  };
  assert.equal((await run(halving())).map((trial) => trial.state[0]).join(""), "CPPPPP");
  const kept = await run(new KeepFirstTrialsPruner(halving(), 3));
  assert.equal(kept.map((trial) => trial.state[0]).join(""), "CCCPPP");
  assert.ok(kept.every((trial) => trial.systemAttrs.completed_rung_0 === trial.number));
  assert.throws(() => new KeepFirstTrialsPruner(halving(), -1), EntailError);
});

Deno.test("MedianPruner: an infinite report beside the median makes it NaN, which prunes nothing, as NumPy's does", async () => {
  // From numpy.nanpercentile(values, 50) of NumPy 2.4.6.
  const cases: [reports: number[], median: number][] = [
    [[1, 2, 3], 2],
    [[4, 1, 3, 2], 2.5],
    [[1, 2, Infinity], NaN],
    [[1, 1, 1, Infinity], 1],
    [[1, Infinity], NaN],
    [[-Infinity, -Infinity, 1, 2], -Infinity],
    [[-Infinity, -Infinity, 2], NaN],
    [[Infinity], NaN],
    [[NaN, 3, NaN], 3],
  ];
  for (const [reports, median] of cases) {
    const study = await createStudy({ pruner: new MedianPruner({ nStartupTrials: 1 }), heartbeat: null });
    for (const value of reports) {
      const trial = await study.ask();
      await trial.report(value, 1);
      await study.tell(trial, 0);
    }
    for (const value of [-1e9, median, 1e9].filter(Number.isFinite)) {
      const trial = await study.ask();
      await trial.report(value, 1);
      assert.equal(await trial.shouldPrune(), value > median, `${value} against ${reports}`);
    }
  }
});
