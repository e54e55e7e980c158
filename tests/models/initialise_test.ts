import assert from "node:assert/strict";
import { parseConfig } from "../../src/models/config_json.ts";
import { initialPieces, initialValues } from "../../src/models/initialise.ts";
import type { ParameterSpec } from "../../src/nn/parameters.ts";
import { assertClose } from "../support/close.ts";
import { philox } from "../../src/bench/reference/philox.ts";

const config = parseConfig({
  model_type: "deberta-v2",
  hidden_size: 30,
  num_attention_heads: 5,
  vocab_size: 500,
  pad_token_id: 3,
  initializer_range: 0.05,
}, "config.json");

const spec = (name: string, shape: number[]): ParameterSpec => ({ name, shape, decay: true, trainable: true });
const DENSE = spec("deberta.encoder.layer.0.output.dense.weight", [200, 500]);

/** Share of standard normal numbers below x, by the series of erf. */
function normalShare(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 60; n++) {
    term *= -x * x / (2 * n);
    sum += term / (2 * n + 1);
  }
  return 0.5 + sum / Math.sqrt(2 * Math.PI);
}

Deno.test("initialValues: weights are normal with deviation initializer_range", () => {
  const values = initialValues(DENSE, config, 42);
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
  assert.ok(Math.abs(mean) < 4 * 0.05 / Math.sqrt(n), `mean ${mean}`);
  assert.ok(Math.abs(deviation / 0.05 - 1) < 4 / Math.sqrt(2 * n), `deviation ${deviation}`);
  // Kolmogorov and Smirnov's distance; 1.95/√n is exceeded by chance once in a thousand samples.
  const distance = values.toSorted().reduce(
    (worst, value, i) => Math.max(worst, Math.abs(normalShare(value / 0.05) - (i + 0.5) / n)),
    0,
  );
  assert.ok(distance < 1.95 / Math.sqrt(n), `distance ${distance}`);
  const lagged = values.reduce((sum, value, i) => i === 0 ? 0 : sum + value * values[i - 1], 0) / n / 0.05 ** 2;
  assert.ok(Math.abs(lagged) < 4 / Math.sqrt(n), `correlation of neighbours ${lagged}`);
});

Deno.test("initialValues: the numbers are Philox 4x32-10 by seed, name and index", () => {
  const name = "classifier.weight";
  let key = 0x811c9dc5n;
  for (const character of name) key = ((key ^ BigInt(character.charCodeAt(0))) * 0x01000193n) & 0xffffffffn;
  const expected = [0, 1, 2].flatMap((block) => {
    const words = philox([block, 0, 0, 0], [7, Number(key)]);
    return [0, 2].flatMap((at) => {
      const radius = 0.05 * Math.sqrt(-2 * Math.log((words[at] + 1) / 2 ** 32));
      const angle = 2 * Math.PI * words[at + 1] / 2 ** 32;
      return [radius * Math.cos(angle), radius * Math.sin(angle)];
    });
  });
  assertClose(initialValues(spec(name, [2, 6]), config, 7), expected, { atol: 1e-8, rtol: 1e-6 });
});

Deno.test("initialValues: any range of elements is the same as in the whole", () => {
  const whole = initialValues(DENSE, config, 1);
  for (const [offset, count] of [[0, 1], [1, 2], [5, 11], [8, 400], [99_997, 3]]) {
    assert.deepEqual(initialValues(DENSE, config, 1, offset, count), whole.slice(offset, offset + count));
  }
});

Deno.test("initialValues: seeds and names give different numbers, the same ones the same", () => {
  const first = initialValues(DENSE, config, 1);
  assert.deepEqual(initialValues(DENSE, config, 1), first);
  for (const other of [initialValues(DENSE, config, 2), initialValues({ ...DENSE, name: "x.weight" }, config, 1)]) {
    assert.equal(other.filter((value, i) => value === first[i]).length, 0);
  }
});

Deno.test("initialValues: biases 0, LayerNorm weights 1, the padding token's row 0", () => {
  assert.deepEqual(initialValues(spec("classifier.bias", [3]), config, 1), new Float32Array(3));
  assert.deepEqual(initialValues(spec("a.LayerNorm.weight", [3]), config, 1), new Float32Array(3).fill(1));
  assert.deepEqual(initialValues(spec("a.LayerNorm.bias", [3]), config, 1), new Float32Array(3));
  const table = spec("deberta.embeddings.word_embeddings.weight", [500, 30]);
  const values = initialValues(table, config, 1);
  values.forEach((value, i) => assert.equal(value === 0, i >= 90 && i < 120, `element ${i}`));
  assert.deepEqual(initialValues(table, config, 1, 100, 40), values.slice(100, 140));
  assert.deepEqual(initialValues(table, config, 1, 200, 40), values.slice(200, 240));
});

Deno.test("initialPieces: the pieces of a large table make up the whole", () => {
  const table = spec("deberta.embeddings.word_embeddings.weight", [140_000, 31]);
  const pieces = [...initialPieces(table, config, 9)];
  assert.ok(pieces.length > 1);
  let at = 0;
  for (const { offset, values } of pieces) {
    assert.equal(offset, at);
    at += values.length;
  }
  assert.equal(at, 140_000 * 31);
  const { offset, values } = pieces[1];
  assert.deepEqual(values.slice(0, 100), initialValues(table, config, 9, offset, 100));
});
