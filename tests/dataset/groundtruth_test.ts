import assert from "node:assert/strict";
import { type GroundtruthOptions, loadCriteria, loadGroundtruth } from "../../src/dataset/groundtruth.ts";
import { EntailError } from "../../src/errors.ts";
import vectors from "../fixtures/random/mt19937.json" with { type: "json" };

const CRITERIA = { criteria: [{ id: "A.1", text: "sad" }, { id: "A.2", text: "no joy" }] };
const HEADER = "post_id,post,DSM5_symptom,groundtruth\n";

async function withFiles(
  csv: string | Uint8Array,
  criteria: unknown,
  test: (options: GroundtruthOptions) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const options = { groundtruthCsv: `${folder}/g.csv`, criteriaJson: `${folder}/c.json` };
  try {
    await Deno.writeFile(options.groundtruthCsv, typeof csv === "string" ? new TextEncoder().encode(csv) : csv);
    await Deno.writeTextFile(options.criteriaJson, typeof criteria === "string" ? criteria : JSON.stringify(criteria));
    await test(options);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function isError(kind: string, start: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof EntailError && error.kind === kind, String(error));
    assert.ok(error.message.startsWith(start) && !error.message.includes("\n"), error.message);
    assert.match(error.message, pattern);
    return true;
  };
}

Deno.test("loadGroundtruth: pairs in file order, with the criterion's text", () =>
  withFiles(`${HEADER}007,"two\nlines",A.2,1\n7,x,A.1,0\n007,"two\nlines",A.1,0\n`, CRITERIA, async (options) => {
    assert.deepEqual(await loadGroundtruth(options), [
      { postId: "007", post: "two\nlines", criterionId: "A.2", criterion: "no joy", label: 1 },
      { postId: "7", post: "x", criterionId: "A.1", criterion: "sad", label: 0 },
      { postId: "007", post: "two\nlines", criterionId: "A.1", criterion: "sad", label: 0 },
    ]);
  }));

Deno.test("loadGroundtruth: paraphrases of a criterion come with its pairs", () => {
  const [first, second] = CRITERIA.criteria;
  const criteria = { criteria: [{ ...first, paraphrases: ["low", "blue"] }, { ...second, paraphrases: [] }] };
  return withFiles(`${HEADER}7,x,A.1,0\n7,x,A.2,1\n`, criteria, async (options) => {
    assert.deepEqual(await loadGroundtruth(options), [
      { postId: "7", post: "x", criterionId: "A.1", criterion: "sad", paraphrases: ["low", "blue"], label: 0 },
      { postId: "7", post: "x", criterionId: "A.2", criterion: "no joy", label: 1 },
    ]);
  });
});

Deno.test("loadGroundtruth: columns by name, in any order, others left alone", () =>
  withFiles("note,groundtruth,post,post_id,DSM5_symptom\nn,1,text,p,A.1\n", CRITERIA, async (options) => {
    const [pair] = await loadGroundtruth(options);
    assert.deepEqual(pair, { postId: "p", post: "text", criterionId: "A.1", criterion: "sad", label: 1 });
  }));

Deno.test("loadGroundtruth: bad rows name file, line and column", async () => {
  const cases: [string, string, RegExp][] = [
    [HEADER, "", /has a header but no rows/],
    [`${HEADER}1,x,A.1,0\n1,"x\ny",A.2,2\n`, ":4:8: ", /groundtruth is "2", it must be 0 or 1/],
    [`${HEADER}1,x,A.1,\n`, ":2:9: ", /must be 0 or 1/],
    [`${HEADER}1,x,A.1,1.0\n`, ":2:9: ", /must be 0 or 1/],
    [`${HEADER}1,x,A.3,1\n`, ":2:5: ", /criterion "A.3" is not in .*c\.json \(A\.1, A\.2\)/],
    [`${HEADER}1,x,A.1,1\n2,x,A.1,1\n1,x,A.1,1\n`, ":4:1: ", /post 1 with criterion A\.1 is already on line 2/],
    [`${HEADER},x,A.1,1\n`, ":2:1: ", /post_id is empty/],
    [`${HEADER}1,"  ",A.1,1\n`, ":2:3: ", /post is empty/],
    ["post_id,text,DSM5_symptom,groundtruth\n1,x,A.1,1\n", ":1: ", /"post" is missing \(the nearest there is "text"\)/],
  ];
  for (const [csv, place, pattern] of cases) {
    await withFiles(
      csv,
      CRITERIA,
      (options) => assert.rejects(loadGroundtruth(options), isError("data", options.groundtruthCsv + place, pattern)),
    );
  }
});

Deno.test("loadGroundtruth: a file that is not UTF-8 or not there", async () => {
  await withFiles(
    new TextEncoder().encode(HEADER).with(3, 0xff),
    CRITERIA,
    (options) =>
      assert.rejects(loadGroundtruth(options), isError("data", `${options.groundtruthCsv}:1:4: `, /not UTF-8/)),
  );
  await withFiles(HEADER, CRITERIA, (options) =>
    assert.rejects(
      loadGroundtruth({ ...options, groundtruthCsv: "none.csv" }),
      isError("data", "none.csv: ", /no such file/),
    ));
});

Deno.test("loadCriteria: broken files name the entry", async () => {
  const cases: [unknown, RegExp][] = [
    ["{", /c\.json:1:2: not valid JSON/],
    [[], /expected \{"criteria"/],
    [null, /expected \{"criteria"/],
    [{ criteria: [] }, /"criteria" is empty/],
    [{ criteria: [null] }, /criteria\[0\]: "id" is missing/],
    [{ criteria: [{ id: 1, text: "x" }] }, /criteria\[0\]: "id" is missing/],
    [{ criteria: [{ id: "A.1", text: " " }] }, /criteria\[0\] \(A\.1\): "text" is missing/],
    [{ criteria: [{ id: "A.1", text: "x", paraphrases: "y" }] }, /criteria\[0\] \(A\.1\): "paraphrases" is not a list/],
    [{ criteria: [{ id: "A.1", text: "x", paraphrases: ["y", " "] }] }, /\(A\.1\): paraphrases\[1\] is empty or not/],
    [{ criteria: [{ id: "A.1", text: "x", paraphrases: [null] }] }, /\(A\.1\): paraphrases\[0\] is empty or not/],
    [{ criteria: [...CRITERIA.criteria, { id: "A.1", text: "x" }] }, /criteria\[2\]: the id "A\.1" is there twice/],
  ];
  for (const [criteria, pattern] of cases) {
    await withFiles(
      HEADER,
      criteria,
      (options) => assert.rejects(loadCriteria(options.criteriaJson), isError("data", options.criteriaJson, pattern)),
    );
  }
});

Deno.test("loadGroundtruth: a sample is NumPy's choice, in file order", () => {
  const rows = Array.from({ length: 50 }, (_, i) => `${i},post ${i},A.1,${i % 2}`);
  return withFiles(HEADER + rows.join("\n"), CRITERIA, async (options) => {
    for (const { seed, choice } of vectors) {
      const sample = await loadGroundtruth({ ...options, sampleSize: 7, sampleSeed: seed });
      assert.deepEqual(sample.map(({ postId }) => Number(postId)), choice.toSorted((a, b) => a - b));
    }
    assert.equal((await loadGroundtruth({ ...options, sampleSize: 50, sampleSeed: 1 })).length, 50);
    assert.equal((await loadGroundtruth({ ...options, sampleSize: null })).length, 50);
    for (const sampleSize of [0, -1, 1.5]) {
      await assert.rejects(
        loadGroundtruth({ ...options, sampleSize }),
        isError("usage", "data.sample_size: ", /positive/),
      );
    }
  });
});
