import assert, { AssertionError } from "node:assert/strict";
import { assertClose, randomArray } from "./close.ts";

const TOLERANCE = { atol: 0.5, rtol: 0.01 };

const message = (actual: number[], expected: number[]): string => {
  let found = "";
  assert.throws(() => assertClose(actual, expected, TOLERANCE, "x"), (error) => {
    found = (error as Error).message;
    return error instanceof AssertionError;
  });
  return found;
};

Deno.test("assertClose: passes up to atol + rtol·|expected|, both signs, and not beyond", () => {
  assertClose([100, 101.5, 98.5], [100, 100, 100], TOLERANCE);
  assertClose([-101.5], [-100], TOLERANCE);
  assertClose([0.5], [0], TOLERANCE);
  assertClose([], [], TOLERANCE);
  message([101.51], [100]);
  message([98.49], [100]);
  message([0.51], [0]);
  // It is the expected value that the tolerance grows with.
  message([1000], [0]);
});

Deno.test("assertClose: NaN never passes", () => {
  assert.match(message([NaN], [0]), /^x: 1 of 1 are off .*worst at 0: NaN, expected 0$/);
  message([0], [NaN]);
  message([NaN], [NaN]);
});

Deno.test("assertClose: infinities never pass, not even equal ones", () => {
  message([Infinity], [0]);
  message([0], [Infinity]);
  message([Infinity], [Infinity]);
  message([-Infinity], [Infinity]);
});

Deno.test("assertClose: other lengths never pass", () => {
  assert.match(message([1, 2], [1]), /^x: 2 elements, expected 1$/);
  assert.match(message([1], [1, 2]), /^x: 1 elements, expected 2$/);
  assert.match(message([], [1]), /^x: 0 elements, expected 1$/);
});

Deno.test("assertClose: names the worst element, and what is not a number before all others", () => {
  assert.match(
    message([1, 5, 3, 1], [1, 1, 1, 1]),
    /^x: 2 of 4 are off \(atol 0.5, rtol 0.01\); worst at 1: 5, expected 1$/,
  );
  assert.match(message([1, 3, 5], [1, 1, 1]), /worst at 2: 5, expected 1$/);
  assert.match(message([9, NaN, 99], [1, 1, 1]), /3 of 3 are off .* worst at 1: NaN, expected 1$/);
});

Deno.test("randomArray: the same seed gives the same numbers, within the scale", () => {
  assert.deepEqual(randomArray(100, 7, 3), randomArray(100, 7, 3));
  assert.notDeepEqual(randomArray(100, 7), randomArray(100, 8));
  const values = randomArray(10_000, 1, 3);
  assert.ok(values.every((value) => value >= -3 && value < 3));
  assert.ok(Math.abs(values.reduce((sum, value) => sum + value) / values.length) < 0.1);
});
