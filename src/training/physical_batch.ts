/**
 * What is done for a step to fit the device. `training.target_effective_batch_size`: its pairs are dealt into micro-batches
 * of as many tokens as there is memory for, with a margin. Short posts make few micro-batches, long ones more; the step is
 * the same everywhere. `training.recompute`: activations are computed twice where they cannot all be kept, which changes no
 * bit.
 */
import type { Config } from "../config/schema.ts";
import type { ModelConfig } from "../models/model_config.ts";
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { allocateBuffers, availableHostBytes } from "../gpu/tensor.ts";
import { trainingOptions } from "./run.ts";
import type { RunData } from "./run_data.ts";
import { openSession, type Session, sessionBytes, type SessionOptions } from "./session.ts";

/** Share of the device's memory that a session may fill. */
const MARGIN = 0.9;

/**
 * Tokens of a micro-batch that are enough for a device to be as fast as with more: down to so many, smaller micro-batches
 * cost less than computing activations twice.
 */
const ENOUGH_TOKENS: Readonly<Record<Gpu["kind"], number>> = { software: 0, hardware: 4096 };

/** Largest buffer of the memory that is taken for a moment to see that it is there. */
const PIECE_BYTES = 1 << 30;

/**
 * Tokens that micro-batches may have, the most first: those of a whole step down to those of its longest sequence. Four to
 * each halving, so that a little more or less memory seldom makes another budget, and with it other bits.
 */
export function tokenBudgets(most: number, least: number): number[] {
  const budgets = new Set<number>();
  for (let whole = most; whole > least; whole /= 2) {
    for (const eighths of [8, 7, 6, 5]) budgets.add(Math.max(least, Math.floor(whole * eighths / 8)));
  }
  return [...budgets.add(least)];
}

/** What a session is opened on: the device with the variants of kernels that it is to use (tune_session.ts). */
export type Tuner = (gpu: Gpu, model: ModelConfig, options: SessionOptions) => Promise<Gpu>;

/** What a session may be opened with. */
interface Attempt {
  tokenBudget: number | null;
  recompute: boolean;
}

/**
 * Opens the session of a run, and says how many tokens its micro-batches have where a target leaves that open: the largest
 * budget that fits by plan, or the next smaller one where the device disagrees. `known` is the one that was found before,
 * which a run keeps for its bits. Activations are computed twice only where that is asked for or nothing else fits. Throws
 * an `EntailError` of kind "memory".
 */
export async function openFittingSession(
  gpu: Gpu,
  config: Config,
  model: ModelConfig,
  data: RunData,
  { known = null, tuned = (on) => Promise.resolve(on) }: { known?: number | null; tuned?: Tuner } = {},
): Promise<{ session: Session; tokenBudget: number | null }> {
  const optionsFor = ({ tokenBudget, recompute }: Attempt): SessionOptions => {
    const { training, ...options } = trainingOptions(gpu, config, model, data, tokenBudget);
    return { ...options, training: { ...training!, recompute } };
  };
  const open = async (attempt: Attempt) => {
    const options = optionsFor(attempt);
    const session = await openSession(await tuned(gpu, model, options), model, options);
    return { session, tokenBudget: attempt.tokenBudget };
  };
  const ways = waysOf(config);
  if (config.training.target_effective_batch_size === null || known !== null) {
    return await firstToOpen(ways.map((recompute) => ({ tokenBudget: known, recompute })), open);
  }
  const { tokens, longest } = trainingOptions(gpu, config, model, data).training!.capacity;
  const budgets = tokenBudgets(tokens, longest);
  const within = (attempt: Attempt) => fits(gpu, model, optionsFor(attempt));
  async function* attempts() {
    for (const recompute of ways) {
      const isLast = recompute === ways.at(-1);
      const enough = isLast ? longest : Math.min(tokens, ENOUGH_TOKENS[gpu.kind]);
      const some = budgets.filter((budget) => budget >= enough).map((tokenBudget) => ({ tokenBudget, recompute }));
      const fitting = await within(some[0]) ? 0 : await firstThat(some, within);
      // The last of all is tried whatever the plan says.
      yield* some.slice(isLast ? Math.min(fitting, some.length - 1) : fitting);
    }
  }
  return await firstToOpen(attempts(), open);
}

/** Whether to compute activations twice, what is preferred first. Nothing is kept of an encoder that is not trained. */
export function waysOf({ training: { recompute }, model: { freeze_backbone } }: Config): boolean[] {
  if (freeze_backbone) return [false];
  return recompute === "auto" ? [false, true] : [recompute];
}

/** Throws the last attempt's error where the device has no memory for any, and what else is wrong at once. */
export async function firstToOpen<Way, Opened>(
  attempts: Iterable<Way> | AsyncIterable<Way>,
  open: (attempt: Way) => Promise<Opened>,
): Promise<Opened> {
  let failure: unknown;
  for await (const attempt of attempts) {
    try {
      return await open(attempt);
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      failure = error;
    }
  }
  throw failure;
}

const isOutOfMemory = (error: unknown): boolean => error instanceof EntailError && error.kind === "memory";

/** Where the items that `hold` begin, in a list in which no other follows one that does: its length where none does. */
async function firstThat<T>(items: readonly T[], hold: (item: T) => Promise<boolean>): Promise<number> {
  let [from, to] = [0, items.length];
  while (from < to) {
    const middle = from + to >> 1;
    if (await hold(items[middle])) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** Whether there is memory for a session, and a margin besides. */
async function fits(gpu: Gpu, model: ModelConfig, options: SessionOptions): Promise<boolean> {
  try {
    const needed = Math.ceil(await sessionBytes(gpu, model, options) / MARGIN);
    // Host memory is committed lazily, so that only the plan can tell; see `allocateBuffers`.
    if (gpu.kind === "software") return needed <= availableHostBytes();
    // WebGPU does not say how much memory a GPU has left: it is there if it can be taken.
    const largest = Math.min(PIECE_BYTES, gpu.maxBufferBytes);
    const pieces = Array.from(
      { length: Math.ceil(needed / largest) },
      (_, i) => Math.min(largest, needed - i * largest),
    );
    (await allocateBuffers(gpu, "memory for a step", pieces)).forEach((buffer) => buffer.destroy());
    return true;
  } catch (error) {
    if (isOutOfMemory(error)) return false;
    throw error;
  }
}
