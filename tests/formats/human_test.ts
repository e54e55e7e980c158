import assert from "node:assert/strict";
import { duration, epochsText, inMegabytes, inShort, paramText, percent } from "../../src/formats/human.ts";

Deno.test("numbers for people: durations, epochs, parameters, shares", () => {
  assert.deepEqual([4.2, 130, 11_100, NaN].map(duration), ["4 s", "2 min 10 s", "3 h 5 min", "?"]);
  assert.deepEqual([1, 12, 3 / 7, 1 / 15].map(epochsText), ["1", "12", "0.43", "0.07"]);
  assert.deepEqual([16, "linear", 0.123456, 4.3281e-6].map(paramText), ["16", "linear", "0.1235", "4.328e-6"]);
  assert.deepEqual([0.125, null].map(percent), ["12.5 %", "–"]);
});

Deno.test("inMegabytes: all of them at the end, and not before", () => {
  const told: [number, number][] = [];
  const tell = inMegabytes((done, total) => told.push([done, total]));
  for (const done of [999_999, 1_400_000, 2_499_999, 2_500_000]) tell(done, 2_500_000);
  assert.deepEqual(told, [[0, 3], [1, 3], [2, 3], [3, 3]]);
});

Deno.test("inShort: one line, and not all of a long one", () => {
  assert.equal(inShort("a\nb\t\tc"), "a b c");
  assert.equal(inShort("x".repeat(1000), 10), "xxxxxxxxxx…");
});
