/** What a sampler is, and how its random stream survives the process. */

import type { Distribution, ParamValue, SearchSpace } from "./distributions.ts";
import { type Direction, type FrozenTrial, isFinished } from "./frozen_trial.ts";
import type { JsonValue } from "./python_text.ts";
import { entropySeed, RandomStream } from "./random_stream.ts";

/** Everything that a suggestion depends on, besides the random stream. */
export interface SamplingContext {
  /** Of the study's value. */
  readonly direction: Direction;
  /** All trials of the study in order of number, the current one included. */
  readonly trials: readonly FrozenTrial[];
  /** The trial that values are proposed for. */
  readonly trial: FrozenTrial;
}

/** Values proposed together, with the domains that they were drawn from. */
export interface JointSample {
  /** The domains. */
  readonly space: SearchSpace;
  /** A value for each, or for none. */
  readonly values: ReadonlyMap<string, ParamValue>;
}

/**
 * Proposes parameter values. Proposals are functions of the context and the sampler's random streams only.
 * A study calls `sampleJoint` once per trial, before the first parameter that is neither fixed nor single-valued, and
 * `sampleOne` for each parameter that the joint sample does not cover.
 */
export interface Sampler {
  /** The sampler's name in stored stream positions. */
  readonly name: string;
  /** Its random numbers. */
  readonly streams: SamplerStreams;
  /** Values for the parameters that all finished trials have. */
  sampleJoint(context: SamplingContext): JointSample;
  /** A value for one parameter. */
  sampleOne(context: SamplingContext, name: string, distribution: Distribution): ParamValue;
  /** System attributes that tell other processes of a running trial's joint sample, so that they keep away from it. */
  sharedAttributes(joint: JointSample): Readonly<Record<string, JsonValue>>;
}

/** The trial attribute that holds how far a seeded sampler had drawn when the trial's values were stored. */
export const STREAM_ATTRIBUTE = "entail:random_stream";

/** More numbers than a trial draws: 24 candidates take about 25 for each parameter. */
const NUMBERS_OF_A_TRIAL = 4096;

/**
 * The streams of a sampler, all from one seed. A seeded sampler stores its positions with every trial, as the system
 * attribute `entail:random_stream` = {"sampler", "seed", "positions"} (Optuna ignores attributes it does not know), and
 * moves past the furthest stored position before each trial: a resumed study continues its stream, and a second
 * process with the same seed does not repeat the first one's draws. Studies written by Optuna have no positions and
 * start the stream from its beginning, as Optuna does.
 */
export class SamplerStreams {
  /** `count` of them, all from the seed. */
  readonly streams: readonly RandomStream[];
  /** So many of the study's first trials are finished and have been looked at. */
  #scanned = 0;
  readonly #ownTrialIds = new Set<number>();

  /** null: a seed of the system's, and nothing is stored. */
  constructor(readonly samplerName: string, readonly seed: number | null, count: number) {
    const used = seed ?? entropySeed();
    this.streams = Array.from({ length: count }, () => new RandomStream(used));
  }

  /** The attribute's value, or null for a sampler without a seed. */
  record(): JsonValue {
    if (this.seed === null) return null;
    const positions = this.streams.map((stream) => stream.position);
    return { sampler: this.samplerName, seed: this.seed, positions };
  }

  /**
   * Moves past the positions stored in a study, before trial `trialId` draws; `trials` are always those of the same study.
   * An earlier trial that another process has just started has not said yet how much it draws: a stretch is left to it.
   */
  resume(trials: readonly FrozenTrial[], trialId: number): void {
    if (this.seed === null) return;
    this.#ownTrialIds.add(trialId);
    let starting = 0;
    const furthest = this.streams.map((stream) => stream.position);
    for (let i = this.#scanned; i < trials.length; i++) {
      const trial = trials[i];
      if (i === this.#scanned && isFinished(trial.state)) this.#scanned++;
      const record = trial.systemAttrs[STREAM_ATTRIBUTE] as Record<string, JsonValue> | undefined;
      const isSilent = record === undefined && trial.state === "RUNNING" && Object.keys(trial.params).length === 0;
      if (isSilent && trial.trialId < trialId && !this.#ownTrialIds.has(trial.trialId)) starting++;
      if (record === undefined || record.sampler !== this.samplerName || record.seed !== this.seed) continue;
      (record.positions as number[]).forEach((position, i) => {
        if (position > furthest[i]) furthest[i] = position;
      });
    }
    this.streams.forEach((stream, i) => stream.advanceTo(furthest[i] + starting * NUMBERS_OF_A_TRIAL));
  }
}
