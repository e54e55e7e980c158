/**
 * The tree-structured Parzen estimator (Bergstra et al. 2011; Watanabe 2023, arXiv:2304.11127), joint over the
 * parameters that all trials share: fits one density to the good trials and one to the rest, and proposes the candidate of the
 * first that has the largest ratio between the two. Defaults and random draws are Optuna 5's `TPESampler`.
 */

import { EntailError } from "../errors.ts";
import { type Distribution, type ParamValue, type SearchSpace, toExternal, toInternal } from "./distributions.ts";
import type { FrozenTrial } from "./frozen_trial.ts";
import { fitParzen, logDensity, type ParzenEstimator, type SampleColumns, sampleParzen } from "./parzen.ts";
import { parsePythonJson, pythonFloat, pythonJson, pythonString } from "./python_text.ts";
import { sampleUniform } from "./random_sampler.ts";
import type { RandomStream } from "./random_stream.ts";
import { type JointSample, type Sampler, SamplerStreams, type SamplingContext } from "./sampler.ts";
import { GroupedSpace, IntersectionSpace } from "./space.ts";
import { type Split, splitTrials } from "./tpe_split.ts";

/** Running trials carry their joint sample in `tpe:relative_params:0`, `:1`, …: pieces of one JSON text. */
const SHARED_KEY = "tpe:relative_params";
const SHARED_PIECE_LENGTH = 2045;

/** What a `TPESampler` goes by; the defaults are Optuna's. */
export interface TPESamplerOptions {
  /** With a seed the proposals are those of Optuna's `TPESampler(seed=…)`. Default: from the operating system. */
  seed?: number;
  /** Uniform sampling until this many trials are COMPLETE or PRUNED (10). */
  nStartupTrials?: number;
  /** Candidates drawn per proposal (24). */
  nEiCandidates?: number;
  /** Sample the parameters that all trials share together (true), or each on its own. */
  multivariate?: boolean;
  /** Sample every set of parameters that always occurs together jointly; for conditional spaces (false). */
  group?: boolean;
  /** Count running trials as bad ones, so that parallel workers spread out (true). */
  constantLiar?: boolean;
}

/**
 * Turns trials into observations of one set of parameters. Finished trials are looked into once: with thousands of them,
 * finding the parameters by name again and again would take longer than the mathematics.
 */
class Observations {
  /** The values of a finished trial in the order of the space; null when it lacks one. */
  readonly #rows = new WeakMap<FrozenTrial, Float64Array | null>();

  /** Internal values of the trials that have every parameter of the space, one column per parameter. */
  columns(
    trials: readonly FrozenTrial[],
    space: SearchSpace,
    valuesOf: (trial: FrozenTrial, space: SearchSpace) => Readonly<Record<string, number>>,
  ): SampleColumns {
    const names = [...space.keys()];
    const rows: Float64Array[] = [];
    for (const trial of trials) {
      let row = this.#rows.get(trial);
      if (row === undefined) {
        row = rowOf(valuesOf(trial, space), names);
        if (trial.state !== "RUNNING") this.#rows.set(trial, row);
      }
      if (row !== null) rows.push(row);
    }
    return names.map((_, column) => columnOf(rows, column));
  }
}

function rowOf(values: Readonly<Record<string, number>>, names: readonly string[]): Float64Array | null {
  const row = new Float64Array(names.length);
  for (let i = 0; i < names.length; i++) {
    const value = values[names[i]];
    if (value === undefined) return null;
    row[i] = value;
  }
  return row;
}

function columnOf(rows: readonly Float64Array[], column: number): Float64Array {
  const values = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) values[i] = rows[i][column];
  return values;
}

/** The internal values of a trial; for a running one also those sampled for it but not asked for yet. */
function withShared(trial: FrozenTrial, space: SearchSpace): Readonly<Record<string, number>> {
  if (trial.state !== "RUNNING") return trial.internalParams;
  const shared = readShared(trial);
  if (shared === null) return trial.internalParams;
  const values: Record<string, number> = {};
  for (const [name, distribution] of space) {
    if (name in shared) values[name] = toInternal(distribution, shared[name]);
  }
  return { ...values, ...trial.internalParams };
}

function readShared(trial: FrozenTrial): Readonly<Record<string, ParamValue>> | null {
  let text = "";
  for (let i = 0;; i++) {
    const piece = trial.systemAttrs[`${SHARED_KEY}:${i}`];
    if (typeof piece !== "string" || piece === "") break;
    text += piece;
  }
  if (text === "") return null;
  try {
    const values = parsePythonJson(text);
    return typeof values === "object" ? values as Record<string, ParamValue> | null : null;
  } catch {
    return null; // Another process has not written all pieces yet.
  }
}

/** The JSON text of a joint sample, with floats as Python prints them. */
function jointSampleText({ space, values }: JointSample): string {
  const entries = [...values].map(([name, value]) => {
    const isFloat = space.get(name)?.kind === "float";
    return `${pythonString(name)}: ${isFloat ? pythonFloat(value as number) : pythonJson(value)}`;
  });
  return `{${entries.join(", ")}}`;
}

/** The candidate, drawn from `good`, with the largest good-to-bad density ratio (the first of equals). */
export function bestCandidate(
  good: ParzenEstimator,
  bad: ParzenEstimator,
  random: RandomStream,
  candidates: number,
): number[] {
  const samples = sampleParzen(good, random, candidates);
  const goodLogs = logDensity(good, samples);
  const badLogs = logDensity(bad, samples);
  let best = 0;
  for (let i = 1; i < candidates; i++) {
    if (goodLogs[i] - badLogs[i] > goodLogs[best] - badLogs[best]) best = i;
  }
  return samples.map((column) => column[best]);
}

/** Tree-structured Parzen estimator sampling for one objective. One sampler object serves one study. */
export class TPESampler implements Sampler {
  readonly name = "tpe";
  /** Its random numbers. */
  readonly streams: SamplerStreams;
  readonly #options: Required<Omit<TPESamplerOptions, "seed">>;
  readonly #space: IntersectionSpace | GroupedSpace;
  /** By the names of the space's parameters. */
  readonly #observations = new Map<string, Observations>();
  #lastSplit: { trials: readonly FrozenTrial[]; trialId: number; split: Split } | null = null;

  /** Usage error for options that contradict each other. */
  constructor(options: TPESamplerOptions = {}) {
    const { seed, nStartupTrials = 10, nEiCandidates = 24, multivariate = true, group = false, constantLiar = true } =
      options;
    if (group && !multivariate) throw new EntailError("usage", "TPESampler: group needs multivariate");
    if (!(nEiCandidates >= 1)) throw new EntailError("usage", "TPESampler: nEiCandidates must be at least 1");
    this.#options = { nStartupTrials, nEiCandidates, multivariate, group, constantLiar };
    this.#space = group ? new GroupedSpace() : new IntersectionSpace();
    // Start-up and TPE draw from two streams with the same seed, as in Optuna.
    this.streams = new SamplerStreams(this.name, seed ?? null, 2);
  }

  /** Multivariate: values for the parameters that all finished trials have, or those of each group. */
  sampleJoint(context: SamplingContext): JointSample {
    const space = new Map<string, Distribution>();
    const values = new Map<string, ParamValue>();
    if (!this.#options.multivariate) return { space, values };
    const ready = !this.#startingUp(context);
    for (const group of this.#space.update(context.trials)) {
      for (const [name, distribution] of group) space.set(name, distribution);
      if (!ready) continue;
      for (const [name, value] of this.#sample(context, group)) values.set(name, value);
    }
    return { space, values };
  }

  /** A value for one parameter, by the trials that have it. */
  sampleOne(context: SamplingContext, name: string, distribution: Distribution): ParamValue {
    if (this.#startingUp(context)) return sampleUniform(this.streams.streams[0], distribution);
    return this.#sample(context, new Map([[name, distribution]])).get(name)!;
  }

  sharedAttributes(joint: JointSample): Record<string, string> {
    if (!this.#options.constantLiar || joint.values.size === 0) return {};
    const text = jointSampleText(joint);
    const attributes: Record<string, string> = {};
    for (let i = 0; i * SHARED_PIECE_LENGTH < text.length; i++) {
      attributes[`${SHARED_KEY}:${i}`] = text.slice(i * SHARED_PIECE_LENGTH, (i + 1) * SHARED_PIECE_LENGTH);
    }
    return attributes;
  }

  #startingUp(context: SamplingContext): boolean {
    let finished = 0;
    for (const trial of context.trials) {
      if (trial.state === "COMPLETE" || trial.state === "PRUNED") {
        if (++finished >= this.#options.nStartupTrials) return false;
      }
    }
    return finished < this.#options.nStartupTrials;
  }

  #sample(context: SamplingContext, space: SearchSpace): Map<string, ParamValue> {
    const { good, bad } = this.#split(context);
    const key = [...space.keys()].join("\0");
    let observations = this.#observations.get(key);
    if (observations === undefined) this.#observations.set(key, observations = new Observations());
    const valuesOf = this.#options.multivariate ? withShared : (trial: FrozenTrial) => trial.internalParams;
    const proposal = bestCandidate(
      fitParzen(space, observations.columns(good, space, valuesOf)),
      fitParzen(space, observations.columns(bad, space, valuesOf)),
      this.streams.streams[1],
      this.#options.nEiCandidates,
    );
    return new Map([...space].map(([name, distribution], i) => [name, toExternal(distribution, proposal[i])]));
  }

  #split({ trials, trial, direction }: SamplingContext): Split {
    const last = this.#lastSplit;
    if (last !== null && last.trials === trials && last.trialId === trial.trialId) return last.split;
    const liars = this.#options.constantLiar;
    const others = trials.filter((other) => (liars || other.state !== "RUNNING") && other.number !== trial.number);
    const split = splitTrials(others, direction);
    this.#lastSplit = { trials, trialId: trial.trialId, split };
    return split;
  }
}
