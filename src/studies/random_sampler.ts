/** Uniform sampling, each parameter on its own. */

import { type Distribution, type ParamValue, roundHalfEven, toExternal } from "./distributions.ts";
import type { RandomStream } from "./random_stream.ts";
import { type JointSample, type Sampler, SamplerStreams, type SamplingContext } from "./sampler.ts";

/** The largest double below `value`. */
function nextBelow(value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  if (value === 0) return -Number.MIN_VALUE;
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? -1n : 1n));
  return view.getFloat64(0);
}

function clip(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/**
 * One uniform value (in log space for log domains; a step's values have equal shares), as Optuna's `RandomSampler`
 * draws it: one uniform number, or one per choice of which the largest wins.
 */
export function sampleUniform(random: RandomStream, distribution: Distribution): ParamValue {
  if (distribution.kind === "categorical") {
    let best = -1;
    let largest = -1;
    for (let i = 0; i < distribution.choices.length; i++) {
      const u = random.uniform(0, 1);
      if (u > largest) [best, largest] = [i, u];
    }
    return toExternal(distribution, best);
  }
  const { low, high, log } = distribution;
  if (distribution.kind === "int") {
    const half = 0.5 * distribution.step;
    if (log) {
      const value = Math.exp(random.uniform(Math.log(low - half), Math.log(high + half)));
      return clip(roundHalfEven(value), low, high);
    }
    const value = random.uniform(low - half, high + half);
    return clip(Math.floor((value - low) / distribution.step + 0.5) * distribution.step + low, low, high);
  }
  const { step } = distribution;
  if (step !== null) {
    const value = random.uniform(low - 0.5 * step, high + 0.5 * step);
    return clip(roundHalfEven((value - low) / step) * step + low, low, high);
  }
  if (log) return clip(Math.exp(random.uniform(Math.log(low), Math.log(high))), low, nextBelow(high));
  return Math.min(random.uniform(low, high), nextBelow(high));
}

/** Proposes uniform values; with a seed, those of Optuna's `RandomSampler(seed)`. */
export class RandomSampler implements Sampler {
  readonly name = "random";
  /** One stream of random numbers. */
  readonly streams: SamplerStreams;

  /** Without a seed every study is another one. */
  constructor(options: { seed?: number } = {}) {
    this.streams = new SamplerStreams(this.name, options.seed ?? null, 1);
  }

  /** Nothing: every parameter is drawn on its own. */
  sampleJoint(): JointSample {
    return { space: new Map(), values: new Map() };
  }

  sharedAttributes(): Record<string, never> {
    return {};
  }

  /** A uniform value of the domain. */
  sampleOne(_context: SamplingContext, _name: string, distribution: Distribution): ParamValue {
    return sampleUniform(this.streams.streams[0], distribution);
  }
}
