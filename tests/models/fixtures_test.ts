import assert from "node:assert/strict";
import { parseConfig, writeConfig } from "../../src/models/config_json.ts";
import { matchTensors, modelParameters } from "../../src/models/parameters.ts";
import { readJson } from "../../src/formats/json.ts";
import { relativeIndexTable } from "../../src/nn/relative_position.ts";
import { DEBERTA_FIXTURES, loadModelFixture, MODEL_CASES } from "../support/deberta_fixture.ts";

for (const name of MODEL_CASES) {
  Deno.test(`modelParameters: exactly the tensors that transformers saves (${name})`, async () => {
    const { config, weights, expected, zeroGradients } = await loadModelFixture(name);
    const specs = modelParameters(config);
    const shapes = new Map([...weights].map(([tensor, { shape }]) => [tensor, shape]));
    const { initialised, ignored } = matchTensors(config, specs, shapes, name);
    assert.deepEqual([initialised, ignored], [[], []]);
    for (const spec of specs) {
      const gradient = expected.get(`gradient.${spec.name}`);
      assert.equal(gradient !== undefined, spec.trainable, `${spec.name} has a gradient`);
      if (!gradient) continue;
      assert.deepEqual(gradient.shape, spec.shape, spec.name);
      assert.ok(zeroGradients.includes(spec.name) || gradient.data.some((value) => value !== 0), spec.name);
    }
  });
}

Deno.test("writeConfig: keeps what transformers saved", async () => {
  const file = new URL("text/config.json", DEBERTA_FIXTURES);
  const saved = await readJson(decodeURIComponent(file.pathname)) as Record<string, unknown>;
  const { transformers_version: _version, ...rest } = saved;
  const written = writeConfig(parseConfig(saved, "config.json"));
  for (const [key, value] of Object.entries(rest)) assert.deepEqual(written[key], value, key);
});

Deno.test("relativeIndexTable: transformers' buckets at every distance", async () => {
  const tables = await readJson(decodeURIComponent(new URL("relative_buckets.json", DEBERTA_FIXTURES).pathname)) as {
    buckets: number;
    maxPosition: number;
    distances: number;
    growth: [number, number][];
  }[];
  assert.ok(tables.length >= 8);
  for (const { buckets, maxPosition, distances, growth } of tables) {
    const table = relativeIndexTable(distances, { bucketSize: buckets, maxRelativePositions: maxPosition });
    const starts = new Map(growth);
    const clamp = (row: number) => Math.min(Math.max(row, 0), 2 * buckets - 1);
    let bucket = 0;
    for (let distance = 0; distance < distances; distance++) {
      bucket = starts.get(distance) ?? bucket;
      const where = `distance ${distance}, ${buckets} buckets up to ${maxPosition}`;
      assert.equal(table[distances - 1 + distance], clamp(buckets + bucket), where);
      assert.equal(table[distances - 1 - distance], clamp(buckets - bucket), `-${where}`);
    }
  }
});
