/** A training step, or a kernel, predicted: the program that would be recorded for a card, dispatch by dispatch. */
import { allocateMemory, planMemory } from "../../gpu/program.ts";
import type { ModelConfig } from "../../models/model_config.ts";
import type { LossKind } from "../../nn/loss.ts";
import type { Precision } from "../../nn/plan.ts";
import { planSession } from "../../training/session.ts";
import { BENCH_TYPES, type KernelRequest } from "../bench_kernel.ts";
import { KERNEL_BENCHES } from "../kernels.ts";
import { createWorkbench } from "../workbench.ts";
import { type Card, paperGpu } from "./card.ts";
import { timeOf } from "./time.ts";
import { type Batch, type Piece, workOf } from "./work.ts";

export interface StepPlan {
  precision: Precision;
  /** Whether products go to matrix units, where the card's backend has them. */
  matrices: boolean;
  /** Tokens of each sequence. */
  lengths: readonly number[];
  lossKind?: LossKind;
}

export interface Forecast {
  ms: number;
  /** Device memory of parameters, gradients, moments, activations and batches. */
  bytes: number;
  dispatches: number;
  /** By what they are for, the longest first. */
  parts: { part: string; ms: number; dispatches: number }[];
  /** By kernel, the longest first. */
  kernels: { kernel: string; ms: number; dispatches: number }[];
}

/** Forward, backward, clipping and AdamW of a model on a card. */
export async function forecastStep(
  card: Card,
  config: ModelConfig,
  { precision, matrices, lengths, lossKind = "focal" }: StepPlan,
): Promise<Forecast> {
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const longest = Math.max(...lengths);
  const { gpu, bytes } = paperGpu(card, { matrices });
  const { programs } = await planSession(gpu, config, {
    inference: { tokens: longest, sequences: 1, longest },
    training: { capacity: { tokens, sequences: lengths.length, longest }, lossKind, freezeEncoder: false },
    precision,
  }, (resource) => resource);
  await allocateMemory(gpu, "activations", planMemory(programs));
  const batch: Batch = {
    tokens,
    sequences: lengths.length,
    longest,
    uniqueIds: Math.min(tokens, config.vocabSize),
    lengths,
  };
  // The last one scores.
  const pieces = programs.slice(0, -1).flatMap((program) => workOf(program, batch));
  const timed = pieces.map((piece) => ({ ...piece, part: partOf(piece), ms: timeOf(piece.work, card) }));
  return {
    ms: timed.reduce((sum, { ms }) => sum + ms, 0),
    bytes: bytes(),
    dispatches: timed.length,
    parts: sums(timed, ({ part }) => part).map(([part, sum]) => ({ part, ...sum })),
    kernels: sums(timed, ({ kernel }) => kernel).map(([kernel, sum]) => ({ kernel, ...sum })),
  };
}

/** Milliseconds of a kernel at a shape, as `bench kernels` times it, by one of its variants or the one that is chosen. */
export async function forecastKernel(
  card: Card,
  { kernel, shape, dtype = "f32", variant }: KernelRequest,
  { matrices }: { matrices: boolean },
): Promise<number> {
  const { operation, build } = KERNEL_BENCHES[kernel];
  const prefer = operation && variant ? { [operation]: variant } : {};
  const bench = createWorkbench(paperGpu(card, { matrices }).gpu, kernel, { precision: BENCH_TYPES[dtype], prefer });
  const { sizes } = await build(bench, shape);
  const batch = sizes ?? { tokens: shape.m, sequences: 1, longest: shape.m, uniqueIds: shape.m };
  const lengths = new Array(batch.sequences).fill(Math.ceil(batch.tokens / batch.sequences));
  return workOf(bench.plan, { ...batch, lengths }).reduce((sum, { work }) => sum + timeOf(work, card), 0);
}

/** What a command is for. */
function partOf({ kernel, label }: Piece): string {
  const isOfAttention = label.includes("attention ") || kernel.startsWith("attention_") && !kernel.includes("pooling");
  if (kernel.startsWith("product_") && isOfAttention) return "position products";
  if (kernel.startsWith("product_")) return "linear layers";
  if (isOfAttention) return kernel.includes("mask") ? "dropout of attention" : "attention";
  if (/^(adamw|grad_norm|step_log)/.test(kernel)) return "update";
  return kernel === "clear" ? "clearing" : "norms and the like";
}

function sums<T extends { ms: number }>(
  items: readonly T[],
  keyOf: (item: T) => string,
): [string, { ms: number; dispatches: number }][] {
  const byKey = Map.groupBy(items, keyOf);
  return [...byKey].map(([key, of]): [string, { ms: number; dispatches: number }] => [
    key,
    { ms: of.reduce((sum, { ms }) => sum + ms, 0), dispatches: of.length },
  ]).sort(([, a], [, b]) => b.ms - a.ms);
}
