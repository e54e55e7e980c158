import assert from "node:assert/strict";
import { erf, erfc } from "../../src/studies/erf.ts";
import { logGaussMass, logNdtr, ndtriExp, truncatedNormalQuantile } from "../../src/studies/truncated_normal.ts";

/** Computed with 50 digits by mpmath, see tests/oracles/studies_fixtures.py. */
const fixture: {
  erf: [x: number, erf: number, erfc: number][];
  logNdtr: [x: number, value: number][];
  logMass: [a: number, b: number, value: number][];
  quantile: [q: number, a: number, b: number, x: number][];
} = JSON.parse(Deno.readTextFileSync(new URL("../fixtures/studies/numerics.json", import.meta.url)));

function assertRelative(actual: number, expected: number, tolerance: number, what: string): void {
  const error = Math.abs(actual - expected);
  assert.ok(error <= tolerance * Math.abs(expected), `${what}: ${actual}, not ${expected}`);
}

Deno.test("erf, erfc: agree with 50-digit values to the last bits", () => {
  for (const [x, e, c] of fixture.erf) {
    assertRelative(erf(x), e, 3e-16, `erf(${x})`);
    assertRelative(erfc(x), c, 1e-15, `erfc(${x})`);
  }
  assert.ok(Number.isNaN(erf(NaN)) && Number.isNaN(erfc(NaN)));
  assert.deepEqual([erf(Infinity), erfc(Infinity), erfc(-Infinity), erfc(30)], [1, 0, 2, 0]);
});

Deno.test("logNdtr: exact from -100000 to the upper tail", () => {
  for (const [x, value] of fixture.logNdtr) assertRelative(logNdtr(x), value, 1e-14, `log Φ(${x})`);
  assert.equal(logNdtr(-Infinity), -Infinity);
});

Deno.test("logGaussMass: exact in the middle and far in both tails", () => {
  for (const [a, b, value] of fixture.logMass) {
    // Differences of close tail values lose the digits that the values share.
    assertRelative(logGaussMass(a, b), value, 1e-11, `mass of [${a}, ${b}]`);
  }
});

Deno.test("ndtriExp: inverts logNdtr", () => {
  for (const x of [-1e4, -300, -40, -12, -5, -2, -0.5, -1e-3, 0.3, 1, 2, 3, 5, 8, 20]) {
    // Near 0 the logarithm's slope is finite, but a relative error needs a scale.
    assert.ok(Math.abs(ndtriExp(logNdtr(x)) - x) <= 2e-11 * Math.max(Math.abs(x), 1), `x = ${x}`);
  }
});

Deno.test("truncatedNormalQuantile: agrees with 50-digit values, also in intervals of tiny mass", () => {
  for (const [q, a, b, x] of fixture.quantile) {
    const actual = truncatedNormalQuantile(q, a, b);
    const error = Math.abs(actual - x);
    assert.ok(error <= 1e-9 * Math.max(1, Math.min(Math.abs(x), b - a)), `q=${q} [${a}, ${b}]: ${actual}, not ${x}`);
  }
  assert.equal(truncatedNormalQuantile(0, -1, 2), -1);
  assert.equal(truncatedNormalQuantile(1, -1, 2), 2);
  assert.ok(Number.isNaN(truncatedNormalQuantile(0.5, 1, 1)));
});
