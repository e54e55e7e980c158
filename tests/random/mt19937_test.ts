import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { Mt19937 } from "../../src/random/mt19937.ts";
import vectors from "../fixtures/random/mt19937.json" with { type: "json" };

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

Deno.test("Mt19937: the first outputs for seed 42", () => {
  const random = new Mt19937(42);
  assert.deepEqual(range(4).map(() => random.nextUint32()), [1608637542, 3421126067, 4083286876, 787846414]);
});

for (const { seed, uint32, random, shuffles, choice, shuffle1000 } of vectors) {
  Deno.test(`Mt19937: draws what NumPy draws for seed ${seed}`, () => {
    const bits = new Mt19937(seed);
    assert.deepEqual(uint32.map(() => bits.nextUint32()), uint32);
    const doubles = new Mt19937(seed);
    assert.deepEqual(range(400).map(() => doubles.random()).slice(-5), random);
    const shuffler = new Mt19937(seed);
    for (const expected of shuffles) {
      const array = range(expected.length);
      shuffler.shuffle(array);
      assert.deepEqual(array, expected);
    }
    const permutation = range(50);
    new Mt19937(seed).shuffle(permutation);
    assert.deepEqual(permutation.slice(0, 7), choice);
    const long = Uint32Array.from(range(1000));
    new Mt19937(seed).shuffle(long);
    assert.deepEqual([...long.subarray(0, 8)], shuffle1000.head);
    assert.equal(long.reduce((sum, value, i) => sum + value * i, 0), shuffle1000.weighted);
  });
}

Deno.test("Mt19937: a stored state continues the stream", () => {
  const random = new Mt19937(5);
  for (let i = 0; i < 1000; i++) random.nextUint32();
  const stored = JSON.parse(JSON.stringify(random.getState()));
  const expected = range(700).map(() => random.random());
  const other = new Mt19937(9);
  other.setState(stored);
  assert.deepEqual(range(700).map(() => other.random()), expected);
});

Deno.test("Mt19937: rejects seeds and states that are none", () => {
  for (const seed of [-1, 1.5, NaN, 2 ** 32]) {
    assert.throws(() => new Mt19937(seed), (error) => error instanceof EntailError && error.kind === "usage");
  }
  const state = new Mt19937(1).getState();
  for (const bad of [{ ...state, position: 625 }, { ...state, key: [1] }, { ...state, key: state.key.map(() => -1) }]) {
    assert.throws(
      () => new Mt19937(1).setState(bad),
      (error) => error instanceof EntailError && error.kind === "data",
    );
  }
});
