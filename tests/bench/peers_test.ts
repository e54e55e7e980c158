import assert from "node:assert/strict";
import { type Placed, race, startContestant } from "../../scripts/bench/peers/contestant.ts";
import { operandsOf, operandValues, OPERATIONS, type ProductJob } from "../../scripts/bench/peers/job.ts";

const LIMIT_MS = 60_000;

/** The product by float64 sums. */
function expected(job: ProductJob): number[] {
  const { a, b, transposeA, transposeB, m, n, k } = operandsOf(job);
  const [left, right] = [operandValues("a", a), operandValues("b", b)];
  return Array.from({ length: m * n }, (_, at) => {
    const [row, column] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let i = 0; i < k; i++) {
      sum += left[transposeA ? i * m + row : row * k + i] * right[transposeB ? column * k + i : i * n + column];
    }
    return sum;
  });
}

Deno.test("peers: entail takes part with all three products, by the device's clock", async () => {
  const entail = await startContestant("entail.ts", LIMIT_MS);
  try {
    for (const operation of OPERATIONS) {
      const job: ProductJob = { kind: "product", operation, rows: 12, inFeatures: 8, outFeatures: 20 };
      const values = expected(job);
      const sample = {
        at: values.map((_, at) => at),
        check: (found: readonly number[]) =>
          found.forEach((value, at) =>
            assert.ok(Math.abs(value - values[at]) < 1e-5, `${operation} at ${at}: ${value}`)
          ),
      };
      const [placed] = await race([entail], { job, rounds: 3, turnMs: 1, sample });
      assert.equal(placed.error, undefined);
      assert.equal(placed.times.length, 3);
      assert.ok(placed.ms! > 0 && placed.device);
    }
  } finally {
    entail.stop();
  }
});

Deno.test("peers: one that is wrong, unable or gone is not timed, and says why", async () => {
  const entail = await startContestant("entail.ts", LIMIT_MS);
  const job: ProductJob = { kind: "product", operation: "dX = dY·W", rows: 4, inFeatures: 4, outFeatures: 4 };
  const wrong = () => {
    throw new Error("entail is wrong");
  };
  const run = async (of: Parameters<typeof race>[1]["job"]): Promise<Placed> =>
    (await race([entail], { job: of, rounds: 2, turnMs: 1, sample: { at: [0], check: wrong } }))[0];
  assert.deepEqual(await run(job).then(({ ms, times, error }) => ({ ms, times, error })), {
    ms: null,
    times: [],
    error: "entail is wrong",
  });
  const forward = { kind: "forward" as const, folder: "/nowhere", architecture: {}, batchSize: 1, maxLength: 4 };
  assert.match((await run(forward)).error!, /\/nowhere/);
  entail.stop();
  assert.ok((await run(job)).error);
  await assert.rejects(startContestant("nobody.ts", LIMIT_MS), /nobody\.ts/);
});
