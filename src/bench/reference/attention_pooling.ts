/** Pooling by attention to a query in float64. */
export interface AttentionPooling {
  x: ArrayLike<number>;
  query: ArrayLike<number>;
  lengths: readonly number[];
}

/** The tokens of each sequence with their weights. */
function weighed({ x, query, lengths }: AttentionPooling) {
  const columns = query.length;
  let begin = 0;
  return lengths.map((length) => {
    const tokens = Array.from({ length }, (_, i) => begin + i);
    begin += length;
    const scores = tokens.map((token) => {
      let score = 0;
      for (let c = 0; c < columns; c++) score += x[token * columns + c] * query[c];
      return score;
    });
    const most = Math.max(...scores);
    const total = scores.reduce((sum, score) => sum + Math.exp(score - most), 0);
    return tokens.map((token, i) => ({ token, weight: Math.exp(scores[i] - most) / total }));
  });
}

export function attentionPoolReference(input: AttentionPooling): Float64Array {
  const columns = input.query.length;
  const pooled = new Float64Array(input.lengths.length * columns);
  weighed(input).forEach((tokens, s) => {
    for (const { token, weight } of tokens) {
      for (let c = 0; c < columns; c++) pooled[s * columns + c] += weight * input.x[token * columns + c];
    }
  });
  return pooled;
}

/** By the Jacobian of softmax as it is written in textbooks. */
export function attentionPoolBackwardReference(input: AttentionPooling, dPooled: ArrayLike<number>) {
  const { x, query } = input;
  const columns = query.length;
  const dx = new Float64Array(x.length);
  const dQuery = new Float64Array(columns);
  weighed(input).forEach((tokens, s) => {
    const dWeights = tokens.map(({ token }) => {
      let d = 0;
      for (let c = 0; c < columns; c++) d += dPooled[s * columns + c] * x[token * columns + c];
      return d;
    });
    tokens.forEach(({ token, weight }, i) => {
      const dScore = tokens.reduce((sum, other, j) => sum + dWeights[j] * other.weight * (+(i === j) - weight), 0);
      for (let c = 0; c < columns; c++) {
        dx[token * columns + c] += weight * dPooled[s * columns + c] + dScore * query[c];
        dQuery[c] += dScore * x[token * columns + c];
      }
    });
  });
  return { dx, dQuery };
}
