/** Disentangled attention over packed sequences in float64 loops, forward and analytic backward. */
import { dropoutFactor } from "./philox.ts";

export interface AttentionCase {
  heads: number;
  headSize: number;
  /** Tokens of each sequence. */
  lengths: number[];
  /** The most tokens that the GPU version was planned for: fixes the dropout element of a probability. */
  longest: number;
  /** Row of the tables for distance d at index d + longest − 1. */
  relativeIndex: ArrayLike<number>;
  dropout: { rate: number; key: [number, number]; step: number; site: number };
  /** Computes this head alone and leaves 0 for the others. */
  onlyHead?: number;
}

export interface AttentionArrays {
  query: ArrayLike<number>;
  key: ArrayLike<number>;
  value: ArrayLike<number>;
  positionKey?: ArrayLike<number>;
  positionQuery?: ArrayLike<number>;
}

/** One (sequence, head) of the batch: token range and indices of its elements. */
function* headsOf({ heads, headSize, lengths, onlyHead }: AttentionCase) {
  let first = 0;
  for (const length of lengths) {
    for (let head = onlyHead ?? 0; head < (onlyHead === undefined ? heads : onlyHead + 1); head++) {
      const start = first;
      const at = (row: number, c: number) => ((start + row) * heads + head) * headSize + c;
      const tableAt = (row: number, c: number) => (row * heads + head) * headSize + c;
      yield { first, length, head, at, tableAt };
    }
    first += length;
  }
}

/** Scores, probabilities and dropout factors of one query row. */
function rowOf(
  shape: AttentionCase,
  x: AttentionArrays,
  { first, length, head, at, tableAt }: ReturnType<typeof headsOf> extends Generator<infer T> ? T : never,
  i: number,
) {
  const { heads, headSize, longest, relativeIndex, dropout } = shape;
  const terms = 1 + Number(!!x.positionKey) + Number(!!x.positionQuery);
  const scale = 1 / Math.sqrt(headSize * terms);
  const buckets = Array.from({ length }, (_, j) => relativeIndex[i - j + longest - 1]);
  const scores = buckets.map((bucket, j) => {
    let score = 0;
    for (let c = 0; c < headSize; c++) {
      score += x.query[at(i, c)] * x.key[at(j, c)];
      if (x.positionKey) score += x.query[at(i, c)] * x.positionKey[tableAt(bucket, c)];
      if (x.positionQuery) score += x.key[at(j, c)] * x.positionQuery[tableAt(bucket, c)];
    }
    return score * scale;
  });
  const highest = Math.max(...scores);
  const sum = scores.reduce((total, score) => total + Math.exp(score - highest), 0);
  const logSumExp = highest + Math.log(sum);
  const probabilities = scores.map((score) => Math.exp(score - logSumExp));
  const words = Math.ceil(longest / 32);
  const factors = scores.map((_, j) => {
    const element = ((first + i) * heads + head) * words * 32 + j;
    return dropoutFactor(dropout.rate, dropout.key, dropout.step, dropout.site, element);
  });
  return { scale, buckets, highest, sum, logSumExp, probabilities, factors };
}

/** context [tokens, heads · headSize], logSumExp [tokens, heads], and its two parts [tokens, heads, 2]. */
export function attentionForwardReference(shape: AttentionCase, x: AttentionArrays) {
  const context = new Float64Array(x.query.length);
  const logSumExps = new Float64Array(x.query.length / shape.headSize);
  const maxAndSum = new Float64Array(2 * logSumExps.length);
  for (const part of headsOf(shape)) {
    for (let i = 0; i < part.length; i++) {
      const { probabilities, factors, highest, sum, logSumExp } = rowOf(shape, x, part, i);
      const at = (part.first + i) * shape.heads + part.head;
      logSumExps[at] = logSumExp;
      maxAndSum.set([highest, sum], 2 * at);
      for (let c = 0; c < shape.headSize; c++) {
        probabilities.forEach((p, j) => context[part.at(i, c)] += p * factors[j] * x.value[part.at(j, c)]);
      }
    }
  }
  return { context, logSumExp: logSumExps, maxAndSum };
}

/** Gradients of every input for the gradient `dContext` of the context. */
export function attentionBackwardReference(shape: AttentionCase, x: AttentionArrays, dContext: ArrayLike<number>) {
  const zeros = (like: ArrayLike<number> | undefined) => new Float64Array(like?.length ?? 0);
  const gradients = {
    dQuery: zeros(x.query),
    dKey: zeros(x.key),
    dValue: zeros(x.value),
    dPositionKey: zeros(x.positionKey),
    dPositionQuery: zeros(x.positionQuery),
  };
  const { dQuery, dKey, dValue, dPositionKey, dPositionQuery } = gradients;
  const channels = Array.from({ length: shape.headSize }, (_, c) => c);
  for (const part of headsOf(shape)) {
    const { at, tableAt } = part;
    for (let i = 0; i < part.length; i++) {
      const { scale, buckets, probabilities, factors } = rowOf(shape, x, part, i);
      const dProbabilities = factors.map((factor, j) =>
        factor * channels.reduce((sum, c) => sum + dContext[at(i, c)] * x.value[at(j, c)], 0)
      );
      const mean = dProbabilities.reduce((sum, d, j) => sum + d * probabilities[j], 0);
      for (let j = 0; j < part.length; j++) {
        const dScore = scale * probabilities[j] * (dProbabilities[j] - mean);
        for (const c of channels) {
          const [q, k, b] = [at(i, c), at(j, c), tableAt(buckets[j], c)];
          dValue[k] += probabilities[j] * factors[j] * dContext[q];
          dQuery[q] += dScore * (x.key[k] + (x.positionKey?.[b] ?? 0));
          dKey[k] += dScore * (x.query[q] + (x.positionQuery?.[b] ?? 0));
          if (x.positionKey) dPositionKey[b] += dScore * x.query[q];
          if (x.positionQuery) dPositionQuery[b] += dScore * x.key[k];
        }
      }
    }
  }
  return gradients;
}
