import assert from "node:assert/strict";
import type { ParamValue } from "../../src/studies/distributions.ts";
import type { Direction, FrozenTrial } from "../../src/studies/frozen_trial.ts";
import { HyperbandPruner } from "../../src/studies/hyperband_pruner.ts";
import { RandomSampler } from "../../src/studies/random_sampler.ts";
import { createStudy, type Study } from "../../src/studies/study.ts";
import { TPESampler, type TPESamplerOptions } from "../../src/studies/tpe.ts";
import { type Trial, TrialPruned } from "../../src/studies/trial.ts";
import { curve, FUNCTIONS } from "./functions.ts";

/** What Optuna 5.0.0 did, see tests/oracles/studies_fixtures.py. */
interface Case {
  kind: "plain" | "hyperband" | "infeasible" | "running" | "enqueued" | "random";
  function: string;
  seed: number;
  direction?: Direction;
  options?: TPESamplerOptions;
  values: (number | null)[];
  /** First letters of the states. */
  states: string;
  params: Record<string, Record<string, ParamValue>>;
  rungs: Record<string, Record<string, number>>;
}

const cases: Case[] = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/studies/suggestions.json", import.meta.url)),
);

function assertClose(actual: unknown, expected: unknown, what: string): void {
  if (typeof actual !== "number" || typeof expected !== "number") return assert.deepEqual(actual, expected, what);
  const difference = Math.abs(actual - expected);
  assert.ok(difference <= 1e-9 * Math.max(1, Math.abs(expected)), `${what}: ${actual}, Optuna has ${expected}`);
}

/** Compares every value, state and rung, and the parameters of the trials that the fixture lists. */
function assertSameTrials(trials: readonly FrozenTrial[], expected: Case): void {
  assert.equal(trials.map((trial) => trial.state[0]).join(""), expected.states);
  trials.forEach((trial, i) => assertClose(trial.value, expected.values[i], `value of trial ${i}`));
  for (const [number, params] of Object.entries(expected.params)) {
    const trial = trials[Number(number)];
    assert.deepEqual(Object.keys(trial.params), Object.keys(params));
    for (const name in params) assertClose(trial.params[name], params[name], `${name} of trial ${number}`);
  }
  for (const trial of trials) {
    const rungs = Object.entries(trial.systemAttrs).filter(([key]) => key.startsWith("completed_rung"));
    const others = expected.rungs[trial.number] ?? {};
    assert.deepEqual(rungs.map(([key]) => key), Object.keys(others), `rungs of trial ${trial.number}`);
    for (const [key, value] of rungs) assertClose(value, others[key], `${key} of trial ${trial.number}`);
  }
}

async function runRunning(study: Study, objective: (trial: Trial) => number, n: number): Promise<void> {
  const queue: [Trial, number][] = [];
  for (let i = 0; i < n; i++) {
    const trial = await study.ask();
    queue.push([trial, objective(trial)]);
    if (queue.length < 4) continue;
    const [oldest, value] = queue.shift()!;
    if (oldest.number % 7 === 5) await study.tell(oldest, null, { state: "FAIL" });
    else await study.tell(oldest, value);
  }
  for (const [trial] of queue) await trial.settle();
  await study.refresh();
}

async function runCase(expected: Case): Promise<readonly FrozenTrial[]> {
  const { kind, seed, direction = "minimize" } = expected;
  const objective = FUNCTIONS[expected.function];
  const n = expected.states.length;
  const study = await createStudy({
    studyName: "study",
    direction,
    sampler: kind === "random" ? new RandomSampler({ seed }) : new TPESampler({ seed, ...expected.options }),
    pruner: new HyperbandPruner({ minResource: 1, maxResource: 9, reductionFactor: 3 }),
    heartbeat: null,
  });
  switch (kind) {
    case "plain":
    case "random":
      await study.optimize(objective, { nTrials: n });
      break;
    case "hyperband":
      await study.optimize(async (trial) => {
        const value = direction === "maximize" ? -objective(trial) : objective(trial);
        for (let step = 1; step <= 9; step++) {
          await trial.report(curve(value, trial.number, step), step);
          if (await trial.shouldPrune()) throw new TrialPruned();
        }
        return value;
      }, { nTrials: n });
      break;
    case "infeasible":
      await study.optimize(async (trial) => {
        const value = objective(trial);
        await trial.setConstraint("sum", Number(trial.params.x) + Number(trial.params.y) - 6);
        await trial.setConstraint("y", 1 - Number(trial.params.y));
        return value;
      }, { nTrials: n });
      break;
    case "running":
      await runRunning(study, objective, n);
      break;
    case "enqueued":
      await study.enqueueTrial({ x: 1.5, y: 2 });
      await study.enqueueTrial({ x: -2 });
      await study.optimize(objective, { nTrials: n / 2 });
      await study.enqueueTrial({ y: 3.25 });
      await study.optimize(objective, { nTrials: n / 2 });
      break;
  }
  return study.trials;
}

for (const expected of cases) {
  const options = expected.options === undefined ? "" : ` ${JSON.stringify(expected.options)}`;
  const direction = expected.direction === undefined ? "" : ` ${expected.direction}`;
  Deno.test(
    `TPESampler: proposes what Optuna does (${expected.kind}${direction} ${expected.function}${options} seed ${expected.seed})`,
    async () => assertSameTrials(await runCase(expected), expected),
  );
}
