/** The parameters that can be sampled together, worked out from a study's finished trials. */

import { type Distribution, isSingle, sameDistribution, type SearchSpace } from "./distributions.ts";
import { type FrozenTrial, isFinished } from "./frozen_trial.ts";

function byCodePoint(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    if (x[i] !== y[i]) return x[i].codePointAt(0)! - y[i].codePointAt(0)!;
  }
  return x.length - y.length;
}

/** Sorted by name, without the single-valued parameters, which need no sampling. */
function sampled(space: ReadonlyMap<string, Distribution>): SearchSpace {
  const names = [...space.keys()].sort(byCodePoint);
  return new Map(names.filter((name) => !isSingle(space.get(name)!)).map((name) => [name, space.get(name)!]));
}

function counts(trial: FrozenTrial): boolean {
  return trial.state === "COMPLETE" || trial.state === "PRUNED";
}

/** Goes through a growing list of trials and hands on each finished one once. */
class FinishedTrials {
  #seen = new Set<number>();
  /** So many of the first trials have ended, and those that count have been handed on. */
  #done = 0;

  *fresh(trials: readonly FrozenTrial[]): Generator<FrozenTrial> {
    for (let i = this.#done; i < trials.length; i++) {
      const trial = trials[i];
      if (i === this.#done && isFinished(trial.state)) this.#done++;
      if (!counts(trial) || this.#seen.has(trial.trialId)) continue;
      this.#seen.add(trial.trialId);
      yield trial;
    }
  }
}

/** The parameters that every COMPLETE and PRUNED trial has, with equal domains. Keeps its work between calls. */
export class IntersectionSpace {
  #finished = new FinishedTrials();
  #space: Map<string, Distribution> | null = null;

  /** One space (or none, when there is nothing to sample jointly), for `trials` that only grow from call to call. */
  update(trials: readonly FrozenTrial[]): readonly SearchSpace[] {
    for (const trial of this.#finished.fresh(trials)) {
      if (this.#space === null) {
        this.#space = new Map(Object.entries(trial.distributions));
        continue;
      }
      for (const [name, distribution] of this.#space) {
        const other = trial.distributions[name];
        if (other === undefined || !sameDistribution(distribution, other)) this.#space.delete(name);
      }
    }
    const space = sampled(this.#space ?? new Map());
    return space.size === 0 ? [] : [space];
  }
}

/** The partition of all parameters into the largest sets that always occur together. Keeps its work between calls. */
export class GroupedSpace {
  #finished = new FinishedTrials();
  #groups: Map<string, Distribution>[] = [];

  /** The groups in Optuna's order, for `trials` that only grow from call to call. */
  update(trials: readonly FrozenTrial[]): readonly SearchSpace[] {
    for (const trial of this.#finished.fresh(trials)) this.#add(trial.distributions);
    return this.#groups.map(sampled).filter((group) => group.size > 0);
  }

  #add(distributions: Readonly<Record<string, Distribution>>): void {
    const rest = new Set(Object.keys(distributions));
    const next: Map<string, Distribution>[] = [];
    for (const group of this.#groups) {
      next.push(new Map([...group].filter(([name]) => rest.has(name))));
      next.push(new Map([...group].filter(([name]) => !rest.has(name))));
      for (const name of group.keys()) rest.delete(name);
    }
    next.push(new Map([...rest].map((name) => [name, distributions[name]])));
    this.#groups = next.filter((group) => group.size > 0);
  }
}
