/**
 * Best values after 100 trials on five functions, 20 seeds: TPE here, random sampling, and Optuna's TPE.
 *
 *     deno run -A scripts/bench/sampler_quality.ts [--optuna PYTHON]
 *
 * Prints medians and quartiles, and one-sided p values of Mann and Whitney's rank-sum test: small against random sampling
 * (TPE is better), not small against Optuna (TPE here is not worse).
 */

import { fileURLToPath } from "node:url";
import { RandomSampler } from "../../src/studies/random_sampler.ts";
import type { Sampler } from "../../src/studies/sampler.ts";
import { createStudy } from "../../src/studies/study.ts";
import { TPESampler } from "../../src/studies/tpe.ts";
import { ndtr } from "../../src/studies/truncated_normal.ts";
import { FUNCTIONS } from "../../tests/studies/functions.ts";

const NAMES = ["a1", "a2", "branin", "hartmann6", "conditional"];
const SEEDS = 20;
const TRIALS = 100;

async function bestValues(name: string, make: (seed: number) => Sampler): Promise<number[]> {
  const best: number[] = [];
  for (let seed = 0; seed < SEEDS; seed++) {
    const study = await createStudy({ sampler: make(seed), heartbeat: null });
    await study.optimize(FUNCTIONS[name], { nTrials: TRIALS });
    best.push(study.bestValue);
  }
  return best;
}

async function optunaValues(python: string): Promise<Record<string, number[]>> {
  const script = fileURLToPath(new URL("./sampler_quality_optuna.py", import.meta.url));
  const args = [script, String(SEEDS), String(TRIALS), ...NAMES];
  const { stdout, stderr, success } = await new Deno.Command(python, { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** P(a is as large as this or larger | a and b alike): normal approximation with mid-ranks and continuity correction. */
function largerP(a: readonly number[], b: readonly number[]): number {
  let u = 0;
  for (const x of a) for (const y of b) u += x > y ? 1 : x === y ? 0.5 : 0;
  const all = [...a, ...b];
  const ties = [...new Set(all)].map((x) => all.filter((y) => y === x).length);
  const n = all.length;
  const tieTerm = ties.reduce((sum, t) => sum + t ** 3 - t, 0) / (n * (n - 1));
  const deviation = Math.sqrt(a.length * b.length / 12 * (n + 1 - tieTerm));
  return ndtr(-(u - 0.5 - a.length * b.length / 2) / deviation);
}

function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

function summary(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => quantile(sorted, q).toPrecision(4));
  return `${middle} [${low}, ${high}]`;
}

const python = Deno.args[0] === "--optuna" ? Deno.args[1] : null;
const optuna = python === null ? null : await optunaValues(python);
for (const name of NAMES) {
  const tpe = await bestValues(name, (seed) => new TPESampler({ seed }));
  const random = await bestValues(name, (seed) => new RandomSampler({ seed }));
  console.log(`${name}: TPE ${summary(tpe)}, random ${summary(random)}`);
  console.log(`  rank-sum p of TPE not being better than random: ${largerP(random, tpe).toExponential(1)}`);
  if (optuna === null) continue;
  const same = tpe.filter((value, i) =>
    Math.abs(value - optuna[name][i]) <= 1e-9 * Math.max(1, Math.abs(value))
  ).length;
  console.log(`  Optuna's TPE ${summary(optuna[name])}, the same best value for ${same} of ${SEEDS} seeds`);
  console.log(`  rank-sum p of TPE being no worse than Optuna's: ${largerP(tpe, optuna[name]).toFixed(2)}`);
}
