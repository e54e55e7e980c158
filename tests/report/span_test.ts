import assert from "node:assert/strict";
import { mostLines, wrapped } from "../../src/report/labels.ts";
import { clipping, outsideText, reachingAll, roundSpan, spanOf, within } from "../../src/report/span.ts";

Deno.test("spanOf: a value far from all others is left out where it would flatten them", () => {
  const usual = Array.from({ length: 40 }, (_, i) => 0.85 + (i % 10) / 100);
  assert.deepEqual(spanOf(usual), { low: 0.85, high: 0.94 });
  assert.deepEqual(spanOf([...usual, -40]), { low: 0.85, high: 0.94 });
  assert.deepEqual(spanOf([...usual, -40, 1e9]), { low: 0.85, high: 0.94 });
  // The best trial is never left out, nor is what does not flatten.
  assert.deepEqual(spanOf([...usual, 20], [20]), { low: 0.85, high: 20 });
  assert.deepEqual(spanOf([...usual, 0.5]), { low: 0.5, high: 0.94 });
  // A third of all values is no exception.
  assert.deepEqual(spanOf([...usual, ...new Array(20).fill(0)]), { low: 0, high: 0.94 });
  assert.deepEqual(spanOf([...new Array(9).fill(0.5), 0.51, -40]), { low: 0.5, high: 0.51 });
});

Deno.test("spanOf: few, equal and immeasurable values", () => {
  assert.deepEqual(spanOf([3]), { low: 3, high: 3 });
  assert.deepEqual(spanOf([2, 2, 2, 2]), { low: 2, high: 2 });
  assert.deepEqual(spanOf([1, 5]), { low: 1, high: 5 });
  assert.deepEqual(spanOf([-1e308, 1e308, -1e308, 1e308]), { low: -1e308, high: 1e308 });
});

Deno.test("within, outsideText: values beyond a span stand at its ends and are counted", () => {
  const span = { low: 0.85, high: 0.942857 };
  assert.deepEqual([-40, 0.9, 2].map((value) => within(span, value)), [0.85, 0.9, 0.942857]);
  assert.equal(
    outsideText(span, [-40, -1, 0.9, 2]),
    " Values beyond 0.85 to 0.943 (2 below, 1 above) count for the edge.",
  );
  assert.equal(outsideText(span, [0.9]), "");
});

Deno.test("clipping: round ends and a mark for each value beyond them, which an option takes away again", () => {
  const rows = [[0, -40, 7], [1, 0.86, 8], [2, 0.94, 9], [3, 2, 10]] as const;
  const clipped = clipping("beyond", { low: 0.85, high: 0.942857 }, rows, ["x", "F1", "trial"]);
  assert.deepEqual(clipped.axis, { min: 0.84, max: 0.96 });
  assert.deepEqual(clipped.marks[0].data, [{ value: [0, 0.84, -40, 7], symbolRotate: 180 }, [3, 0.96, 2, 10]]);
  assert.deepEqual(clipped.marks[0].dimensions, ["x", "_edge", "F1", "trial"]);
  assert.equal(clipped.count, 2);
  const none = clipping("other", { low: -40, high: 2 }, rows, ["x", "F1", "trial"]);
  assert.deepEqual(none, { axis: {}, marks: [], count: 0, text: "" });
  assert.deepEqual(reachingAll([none, clipped]), {
    count: 2,
    option: { yAxis: [{}, { min: null, max: null }], series: [{ id: "beyond", type: "scatter", data: [] }] },
  });
  assert.equal(reachingAll([none]), undefined);
  assert.deepEqual(roundSpan({ low: 3, high: 3 }), { low: 3, high: 3 });
});

Deno.test("wrapped: nothing of a label is lost, lines end where words do", () => {
  assert.equal(wrapped("cosine_with_restarts", 10), "cosine_\nwith_\nrestarts");
  assert.equal(wrapped("cosine_with_restarts", 15), "cosine_with_\nrestarts");
  assert.equal(wrapped("abcdefghij", 4), "abcd\nefgh\nij");
  assert.equal(wrapped("short", 10), "short");
  assert.equal(mostLines(["a", "a\nb\nc", ""]), 3);
  assert.equal(mostLines([]), 1);
});
