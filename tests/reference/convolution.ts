/** torch's Conv1d along the tokens of packed sequences, with "same" padding, in float64. */

export interface ConvolutionInput {
  x: ArrayLike<number>;
  /** [channels, channels / groups, size] */
  weight: ArrayLike<number>;
  bias: ArrayLike<number>;
  lengths: readonly number[];
  channels: number;
  size: number;
  groups: number;
}

/** Calls `visit` for each product of an input and a weight, with the indices into y, x and weight. */
function visitProducts(
  { lengths, channels, size, groups }: ConvolutionInput,
  visit: (y: number, x: number, weight: number) => void,
): void {
  const width = channels / groups;
  let begin = 0;
  for (const length of lengths) {
    for (let token = begin; token < begin + length; token++) {
      for (let out = 0; out < channels; out++) {
        for (let inner = 0; inner < width; inner++) {
          for (let tap = 0; tap < size; tap++) {
            const other = token + tap - (size - 1) / 2;
            if (other < begin || other >= begin + length) continue;
            const channel = Math.floor(out / width) * width + inner;
            visit(token * channels + out, other * channels + channel, (out * width + inner) * size + tap);
          }
        }
      }
    }
    begin += length;
  }
}

export function convolutionReference(input: ConvolutionInput): Float64Array {
  const { x, weight, bias, channels } = input;
  const y = Float64Array.from(x, (_, i) => bias[i % channels]);
  visitProducts(input, (to, from, at) => y[to] += x[from] * weight[at]);
  return y;
}

export function convolutionBackwardReference(input: ConvolutionInput, dy: ArrayLike<number>) {
  const { x, weight, bias, channels } = input;
  const gradients = {
    dx: new Float64Array(x.length),
    dWeight: new Float64Array(weight.length),
    dBias: new Float64Array(bias.length),
  };
  visitProducts(input, (to, from, at) => {
    gradients.dx[from] += dy[to] * weight[at];
    gradients.dWeight[at] += dy[to] * x[from];
  });
  for (let i = 0; i < dy.length; i++) gradients.dBias[i % channels] += dy[i];
  return gradients;
}
