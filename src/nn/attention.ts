/**
 * Disentangled self-attention over packed sequences (He et al., "DeBERTa", ICLR 2021, section 3.1; the arithmetic is
 * that of transformers' `DisentangledSelfAttention`), and plain attention where there are no position tables:
 *
 *     score[i,j] = (q_i·k_j + q_i·positionKey[b] + k_j·positionQuery[b]) / √(headSize · terms),  b = relativeIndex(i − j)
 *     context_i = Σ_j dropout(softmax_j(score[i,j])) v_j
 *
 * Nothing of every pair of tokens outlives a call. The forward stores no matrix of scores. The backward computes
 * probabilities again from maxAndSum and stores two numbers for every pair of a group of heads and a chunk of tokens, or a
 * part of the queries of long sequences: kept probability and dScore, which queries leave for keys to read the other way
 * round. The rest is linear in the tokens:
 * products of tokens and tables, and the sums of dScore over the distances of a bucket, which give the position terms of
 * dQuery, dKey and the tables as plain products. Dropout takes a bit a pair.
 */
import type { Tensor } from "../gpu/tensor.ts";
import { appendCall, type Call, dispatchRows, type Place, walkColumns } from "./attention_call.ts";
import { type AttentionGradients, type AttentionInputs, type AttentionSizes, pairStride } from "./attention_inputs.ts";
import { positionBackward, positionScores } from "./attention_position.ts";
import type { HeadGroup } from "./attention_variants.ts";
import { indexUniform } from "./index_uniform.ts";
import type { Plan } from "./plan.ts";
import { present } from "./rows.ts";

export type { AttentionGradients, AttentionInputs, AttentionSizes };

const READ = ["query", "key", "value", "positionKey", "positionQuery"] as const;
const FORWARD = { name: "forward", read: READ, written: ["context"] } as const;
const BACKWARD = {
  name: "backward",
  read: [...READ, "context", "dContext"],
  written: ["dQuery", "dKey", "dValue", "dPositionKey", "dPositionQuery"],
} as const;

/** context and maxAndSum of all tokens. */
export function attentionForward(plan: Plan, t: AttentionInputs, sizes: AttentionSizes): void {
  appendCall(plan, t, sizes, FORWARD, forward);
}

function forward(call: Call): void {
  const { query, key: keys, value: values, context, maxAndSum: max_and_sum } = call.t;
  for (const group of call.cut.groups) {
    const bindings = { ...scoreBindings(call, group), query, context, max_and_sum };
    for (let chunk = 0; chunk < call.cut.chunks; chunk++) {
      walkColumns(call, { group, chunk }, "forward", bindings, { keys, values });
    }
  }
}

/** Gradients of query, key, value and of the position tables that are there; all are written, none added to. */
export function attentionBackward(plan: Plan, t: AttentionInputs & AttentionGradients, sizes: AttentionSizes): void {
  appendCall(plan, t, sizes, BACKWARD, backward);
}

function backward(call: Call<AttentionInputs & AttentionGradients>): void {
  const { query, key, value, positionKey, positionQuery, context, dContext, maxAndSum } = call.t;
  const { dQuery, dKey, dValue, dPositionKey, dPositionQuery } = call.t;
  for (const table of [dPositionKey, dPositionQuery]) table && call.plan.clear(table);
  const units = call.inUnits ? unitsOfScores(call) : undefined;
  for (const group of call.cut.groups) {
    const known = { query, context, max_and_sum: maxAndSum, d_context: dContext };
    const ofQuery = { ...scoreBindings(call, group), ...known, d_query: dQuery };
    const ofKey = { d_key: dKey, d_value: dValue };
    const dC2p = positionKey && zeroSums(call, group, "dC2p");
    let dP2c: Tensor | undefined;
    for (const place of placesOf(call, group)) {
      const [weights, dScores] = [pairsOf(call, group, "weights"), pairsOf(call, group, "dScores")];
      const kept = present({ weights, d_scores: dScores, units });
      backwardOf(call, place, "query", { ...ofQuery, ...kept }, { keys: key, values: value }, dC2p);
      // As late as that: what the queries alone need may lie in the same memory.
      dP2c ??= positionQuery && zeroSums(call, group, "dP2c");
      backwardOf(call, place, "key", { ...ofKey, ...kept }, { queries: query, d_contexts: dContext }, dP2c);
    }
    positionBackward(call, group, { x: query, dX: dQuery, table: positionKey, dTable: dPositionKey, sums: dC2p });
    positionBackward(call, group, { x: key, dX: dKey, table: positionQuery, dTable: dPositionQuery, sums: dP2c });
  }
}

/** Chunk by chunk, and part by part of its queries. */
const placesOf = ({ cut: { chunks, parts } }: Call, group: HeadGroup): Place[] =>
  Array.from({ length: chunks * parts }, (_, at) => ({ group, chunk: Math.floor(at / parts), part: at % parts }));

/** What the backward keeps of the pairs of a chunk and a part: a number for each key and query. */
function pairsOf({ plan, sizes, cut, pairs }: Call, { count }: HeadGroup, name: "weights" | "dScores"): Tensor {
  const shape = [cut.room, count, pairStride(cut.part)];
  return plan.transient(`${sizes.label} ${name}`, shape, pairs[name]);
}

/** What dScores are multiplied by where they are kept as f16, and its inverse: for all heads and tokens of the call. */
function unitsOfScores({ plan, t, sizes }: Call<AttentionInputs & AttentionGradients>): Tensor {
  const { heads, headSize, tokens, scale, label } = sizes;
  const measured = plan.transient(`${label} largest gradient and value`, [4], "u32");
  const units = plan.transient(`${label} unit of dScores`, [4]);
  const common = { kernel: "attention_units", constants: { HEADS: heads, HEAD_SIZE: headSize, SCALE: scale } };
  plan.clear(measured);
  plan.dispatch({
    ...{ ...common, entry: "measure", label: measured.label },
    bindings: { rows: tokens.uniform, measured, values: t.value, d_context: t.dContext },
    grid: (batch) => [Math.ceil(tokens.count(batch) / 64), heads],
  });
  plan.dispatch({
    ...{ ...common, entry: "choose", label: units.label },
    bindings: present({ dropout: t.dropout, measured, units }),
    grid: ({ tokens }) => [Math.min(tokens, 1)],
  });
  return units;
}

/** Sums of dScore by token and bucket, none yet. */
function zeroSums({ plan, sizes }: Call, { count }: HeadGroup, name: string): Tensor {
  const sums = plan.transient(`${sizes.label} ${name}`, [sizes.tokens.capacity, count, sizes.relativeRows]);
  plan.clear(sums);
  return sums;
}

/** The gradients of the queries or keys of a chunk, with the sums of dScore by bucket where there is a table. */
function backwardOf(
  call: Call,
  place: Place,
  rows: "query" | "key",
  bindings: Readonly<Record<string, Tensor>>,
  columns: Readonly<Record<string, Tensor>>,
  sums?: Tensor,
): void {
  const summed = sums && { relative_index: call.t.relativeIndex!, sums };
  const sumsOnTheWay = call.kernel === "attention_rows";
  walkColumns(call, place, `backward_${rows}`, { ...bindings, ...(sumsOnTheWay && summed) }, columns);
  if (sumsOnTheWay || !summed) return;
  dispatchRows(call, place, {
    ...{ kernel: "attention_buckets", entry: "sum", rows: 256, ofPart: rows === "query" },
    constants: { KEYS: Number(rows === "key") },
    bindings: present({ ...summed, d_scores: bindings.d_scores, units: bindings.units }),
  });
}

/** Dropout bits and position scores of a group of heads: what both directions begin with. */
function scoreBindings(call: Call, group: HeadGroup): Record<string, Tensor> {
  const { dropout, positionKey, positionQuery, relativeIndex, query, key } = call.t;
  return present({
    dropout,
    mask: dropout && dropoutBits(call, group, dropout),
    relative_index: positionKey || positionQuery ? relativeIndex : undefined,
    c2p: positionKey && positionScores(call, group, query, positionKey),
    p2c: positionQuery && positionScores(call, group, key, positionQuery),
  });
}

/** Draws the dropout bits, [tokens, heads of the group, words]. */
function dropoutBits(call: Call, group: HeadGroup, dropout: Tensor): Tensor {
  const { plan, t: { offsets }, sizes: { heads, tokens, longestCapacity, site, label } } = call;
  const words = (longest: number) => Math.ceil(longest / 32);
  const lanes = plan.gpu.kind === "software" ? 8 : 64;
  const mask = plan.transient(`${label} dropout bits`, [tokens.capacity, group.count, words(longestCapacity)]);
  plan.dispatch({
    kernel: "attention_mask",
    entry: "draw",
    label: mask.label,
    constants: { HEADS: heads, GROUP_HEADS: group.count, LONGEST: longestCapacity, LANES: lanes, SITE: site },
    bindings: { first_head: indexUniform(plan.gpu, group.first), dropout, offsets, mask },
    grid: ({ longest, sequences }) => [Math.ceil(longest / lanes), group.count * words(longest), sequences],
  });
  return mask;
}
