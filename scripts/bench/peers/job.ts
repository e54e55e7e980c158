/**
 * What contestants of a comparison are asked to do. Each is a process of its own that reads requests as JSON lines and
 * answers each with a line, so that whatever happens to one leaves the others alone; pytorch.py speaks the same.
 */

/** One of the three products that training a linear layer needs. */
export interface ProductJob {
  kind: "product";
  operation: Operation;
  rows: number;
  outFeatures: number;
  inFeatures: number;
}

/** Logits of a batch. PyTorch writes the model into `folder` before anybody else reads it there. */
export interface ForwardJob extends ModelJob {
  kind: "forward";
  folder: string;
}

/** An optimizer step: forward, backward, clipping and AdamW, dropout 0.1. */
export interface StepJob extends ModelJob {
  kind: "step";
  /** fp32, fp16, bf16; PyTorch's also tf32, and its halves are autocast. */
  precision: string;
  /** Tokens of each sequence, where they are not all `maxLength`; PyTorch pads. */
  lengths?: readonly number[];
  /** Whether PyTorch compiles the model. */
  compiled?: boolean;
}

interface ModelJob {
  /** Keys of Hugging Face's config.json. */
  architecture: Readonly<Record<string, unknown>>;
  batchSize: number;
  /** Tokens of each sequence; none is padding. */
  maxLength: number;
}

export type Job = ProductJob | ForwardJob | StepJob;

export type Request =
  | { prepare: Job }
  /** Computes once; values of the result at these places. */
  | { sample: readonly number[] }
  /** Computes this many times. */
  | { time: number };

/** What a contestant says of itself in its first line. */
export interface Introduction {
  name: string;
}

/** The answer to `prepare`. */
export interface Prepared {
  /** What it computes on. */
  device: string;
}

export interface Timing {
  /** Of one computation. */
  ms: number;
  /** Device memory at its peak, where the contestant knows. */
  peak_bytes?: number;
}

export const OPERATIONS = ["y = x·Wᵀ", "dX = dY·W", "dW = dYᵀ·X"] as const;
export type Operation = typeof OPERATIONS[number];

/** C [m, n] = Σ over k of A·B, the operands as they are stored. */
export interface Operands {
  a: readonly [rows: number, columns: number];
  b: readonly [rows: number, columns: number];
  transposeA: boolean;
  transposeB: boolean;
  m: number;
  n: number;
  k: number;
}

/** x and y are [rows, features], weights Hugging Face's [out, in]. */
export function operandsOf({ operation, rows, outFeatures: out, inFeatures: of }: ProductJob): Operands {
  switch (operation) {
    case "y = x·Wᵀ":
      return { a: [rows, of], b: [out, of], transposeA: false, transposeB: true, m: rows, n: out, k: of };
    case "dX = dY·W":
      return { a: [rows, out], b: [out, of], transposeA: false, transposeB: false, m: rows, n: of, k: out };
    case "dW = dYᵀ·X":
      return { a: [rows, out], b: [rows, of], transposeA: true, transposeB: false, m: out, n: of, k: rows };
  }
}

const MULTIPLIERS = { a: 2654435761, b: 2246822519 };

/** The same numbers in [−½, ½) for every contestant. */
export function operandValues(operand: "a" | "b", [rows, columns]: readonly [number, number]): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < values.length; i++) values[i] = (Math.imul(i, MULTIPLIERS[operand]) >>> 0) / 2 ** 32 - 0.5;
  return values;
}

/** The same token ids for every contestant, one sequence after another. */
export function tokenIds({ batchSize, maxLength, architecture }: ModelJob): Uint32Array {
  const vocabulary = Number(architecture.vocab_size);
  return Uint32Array.from({ length: batchSize * maxLength }, (_, i) => (Math.imul(i, 2654435761) >>> 0) % vocabulary);
}
