/** How attention cuts its work into parts whose transients fit `gpu.workspace_mb` and the adapter's bindings. */
import { EntailError } from "../errors.ts";
import { type AttentionSizes, type HeadGroup, pairStride } from "./attention_inputs.ts";
import { INDEX_UNIFORMS } from "./index_uniform.ts";
import type { Plan } from "./plan.ts";

/** Rows of the position tables, rounded up so that vectors of four fit. */
export const bucketsOf = (relativeRows: number): number => 4 * Math.ceil(relativeRows / 4);

/** Heads that go together, and tokens whose pairs are kept together. */
export interface Cut {
  groups: HeadGroup[];
  /** Tokens of a chunk; 0: all tokens are one. */
  chunk: number;
  chunks: number;
  /** Tokens that a chunk's sequences may have. */
  room: number;
}

/**
 * Several heads at once where what the backward keeps of their pairs, two numbers each, fits the workspace; else one head
 * with chunks of tokens. The results do not depend on it.
 */
export function cutWork(plan: Plan, { heads, relativeRows, tokens, longestCapacity, label }: AttentionSizes): Cut {
  const { maxBindingBytes, workspaceBytes } = plan.gpu;
  const { capacity } = tokens;
  const pairs = 4 * pairStride(longestCapacity);
  const linear = 4 * capacity * bucketsOf(relativeRows);
  const fitting = (room: number) => {
    return Math.min(
      Math.floor(workspaceBytes / (2 * room * pairs)),
      Math.floor(maxBindingBytes / Math.max(linear, room * pairs)),
    );
  };
  const together = Math.min(fitting(capacity), heads);
  if (together >= 1) {
    const groups = Array.from({ length: Math.ceil(heads / together) }, (_, i) => ({
      first: i * together,
      count: Math.min(together, heads - i * together),
    }));
    return { groups, chunk: 0, chunks: 1, room: capacity };
  }
  const groups = Array.from({ length: heads }, (_, first) => ({ first, count: 1 }));
  const most = Math.floor(Math.min(workspaceBytes / 2, maxBindingBytes) / pairs);
  const chunk = Math.max(most - longestCapacity, longestCapacity);
  const chunks = Math.ceil(capacity / chunk);
  const room = Math.min(chunk + longestCapacity - 1, capacity);
  if (chunks <= INDEX_UNIFORMS && Math.max(linear, room * pairs) <= maxBindingBytes) {
    return { groups, chunk: chunks > 1 ? chunk : 0, chunks, room };
  }
  throw new EntailError(
    "memory",
    `${
      label ?? "attention"
    }: sequences of ${longestCapacity} tokens, ${capacity} in all, with ${relativeRows} relative ` +
      `positions need ${
        Math.max(linear, room * pairs)
      } bytes in one binding, the adapter has ${maxBindingBytes}; lower ` +
      "training.batch_size or data.max_length",
  );
}
