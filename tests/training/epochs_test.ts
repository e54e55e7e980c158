import assert from "node:assert/strict";
import { epochsAfter, planEpochs, stepsOf } from "../../src/training/epochs.ts";

const LENGTHS = [5, 4, 1, 7];
const plan = (maxSteps: number | null) =>
  planEpochs((epoch) => LENGTHS[epoch], { accumulation: 2, epochs: 4, maxSteps });

Deno.test("planEpochs: steps of epochs that differ, the last step of each with what is left", () => {
  const { batches, stepsBefore, totalSteps } = plan(null);
  assert.deepEqual([batches, stepsBefore, totalSteps], [LENGTHS, [0, 3, 5, 6, 10], 10]);
  assert.deepEqual(LENGTHS.map((_, epoch) => stepsOf(plan(null), epoch)), [3, 2, 1, 4]);
});

Deno.test("planEpochs: maxSteps takes as many epochs as it needs, whatever `epochs` says", () => {
  const lengths = [1, 3, 4, 6, 7].map((maxSteps) => plan(maxSteps).batches.length);
  assert.deepEqual(lengths, [1, 1, 2, 3, 4]);
  assert.equal(plan(4).totalSteps, 4);
});

Deno.test("epochsAfter: whole epochs are whole numbers, and where all are alike it is steps / steps of one", () => {
  assert.deepEqual([1, 3, 4, 5, 6, 8, 10].map((steps) => epochsAfter(plan(null), steps)), [
    1 / 3,
    1,
    1.5,
    2,
    3,
    3.5,
    4,
  ]);
  const alike = planEpochs(() => 7, { accumulation: 1, epochs: 50, maxSteps: null });
  for (let steps = 1; steps <= 350; steps++) assert.equal(epochsAfter(alike, steps), steps / 7);
});
