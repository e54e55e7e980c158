import assert from "node:assert/strict";
import { nextStride } from "../../src/training/pace.ts";

Deno.test("nextStride: grows at most twofold, shrinks at once, never stands still", () => {
  assert.equal(nextStride(1, 10), 2);
  assert.equal(nextStride(8, 400), 8);
  assert.equal(nextStride(8, 1600), 2);
  assert.equal(nextStride(1, 60_000), 1);
  assert.equal(nextStride(0, 11), 1);
  assert.equal(nextStride(4, 0), 8);
});
