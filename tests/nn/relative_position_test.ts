import { strict as assert } from "node:assert";
import { logBucketPosition, relativeIndexTable } from "../../src/nn/relative_position.ts";

interface Buckets {
  bucketSize: number;
  maxRelativePositions: number;
  last: number;
  starts: [number, number][];
}
const fixture: Buckets[] = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/nn/relative_position.json", import.meta.url)),
);

for (const { bucketSize, maxRelativePositions, last, starts } of fixture) {
  Deno.test(`logBucketPosition: ${bucketSize} buckets of ${maxRelativePositions} positions as in transformers`, () => {
    const found: [number, number][] = [];
    let before = 0;
    for (let distance = 0; distance <= last; distance++) {
      const bucket = logBucketPosition(distance, bucketSize, maxRelativePositions);
      assert.equal(logBucketPosition(-distance, bucketSize, maxRelativePositions) + bucket, 0);
      if (bucket !== before) found.push([distance, bucket]);
      before = bucket;
    }
    assert.deepEqual(found, starts);
  });
}

Deno.test("relativeIndexTable: shifted by the span, clipped to the table, never decreasing", () => {
  const linear = relativeIndexTable(5, { bucketSize: -1, maxRelativePositions: 3 });
  assert.deepEqual([...linear], [0, 0, 1, 2, 3, 4, 5, 5, 5]);
  const table = relativeIndexTable(700, { bucketSize: 256, maxRelativePositions: 512 });
  assert.equal(table.length, 1399);
  assert.equal(table[699], 256);
  assert.equal(table[0], 0);
  assert.equal(table[1398], 511);
  assert.ok(table.every((row, i) => i === 0 || row >= table[i - 1]));
});

Deno.test("relativeIndexTable: one token", () => {
  assert.deepEqual([...relativeIndexTable(1, { bucketSize: 4, maxRelativePositions: 16 })], [4]);
});
