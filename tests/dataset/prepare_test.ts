import assert from "node:assert/strict";
import { loadGroundtruth } from "../../src/dataset/groundtruth.ts";
import { prepare, type PrepareOptions, SYMPTOMS } from "../../src/dataset/prepare.ts";
import { EntailError } from "../../src/errors.ts";
import { formatCsv } from "../../src/formats/csv.ts";

const CRITERIA = { criteria: SYMPTOMS.map((symptom, i) => ({ id: `A.${i + 1}`, text: symptom.toLowerCase() })) };
const POSTS = [["post_id", "text"], ["b", "I am sad.\nI sleep badly, and badly."], ["a", "All is well."]];
const HEADER = ["post_id", "sentence_id", "sentence_text", "DSM5_symptom", "status", "explanation"];

async function withFiles(
  { posts = POSTS, annotations, criteria = CRITERIA as unknown }: {
    posts?: string[][];
    annotations: string[][];
    criteria?: unknown;
  },
  test: (options: PrepareOptions) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/posts.csv`, formatCsv(posts));
    await Deno.writeTextFile(`${folder}/annotations.csv`, formatCsv([HEADER, ...annotations]));
    await Deno.writeTextFile(`${folder}/criteria.json`, JSON.stringify(criteria));
    await test({
      postsCsv: `${folder}/posts.csv`,
      annotationsCsv: `${folder}/annotations.csv`,
      criteriaJson: `${folder}/criteria.json`,
      outputCsv: `${folder}/out/groundtruth.csv`,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("prepare: a row for every post and criterion, several sentences are one positive", () => {
  const annotations = [
    ["b", "1", "I am sad.", "DEPRESSED_MOOD", "1", "e"],
    ["b", "2", "I sleep badly,", "SLEEP_ISSUES", "1", ""],
    ["b", "3", "and badly.", "SLEEP_ISSUES", "1", ""],
    ["b", "4", "I am sad.", "FATIGUE", "0", ""],
    ["a", "1", "All is well.", "SPECIAL_CASE", "1", ""],
  ];
  return withFiles({ annotations }, async (options) => {
    const { positivesPerCriterion, ...counts } = await prepare(options);
    const evidence = { verbatim: 3, aligned: 0, missing: 0 };
    assert.deepEqual(counts, { posts: 2, pairs: 18, positives: 2, annotations: 5, specialCases: 1, evidence });
    assert.deepEqual([...positivesPerCriterion.values()], [1, 0, 0, 1, 0, 0, 0, 0, 0]);
    const { outputCsv, criteriaJson } = options;
    const pairs = await loadGroundtruth({ groundtruthCsv: outputCsv, criteriaJson });
    assert.deepEqual(pairs.map(({ postId }) => postId), [..."b".repeat(9), ..."a".repeat(9)]);
    const positives = pairs.filter(({ label }) => label === 1);
    assert.deepEqual(positives.map(({ postId, criterionId }) => [postId, criterionId]), [["b", "A.1"], ["b", "A.4"]]);
    assert.equal(pairs[0].post, POSTS[1][1]);
  });
});

Deno.test("prepare: bad input names file, line and column, and writes nothing", async () => {
  const good = ["b", "1", "I am sad.", "DEPRESSED_MOOD", "1", ""];
  const one = { criteria: CRITERIA.criteria.slice(1) };
  const cases: [{ posts?: string[][]; annotations: string[][]; criteria?: unknown }, RegExp][] = [
    [{ annotations: [good, ["c", ...good.slice(1)]] }, /annotations\.csv:3:1: post "c" is not in the posts file/],
    [{ annotations: [good.with(3, "SADNESS")] }, /annotations\.csv:2:15: unknown symptom "SADNESS"/],
    [{ annotations: [good.with(4, "2")] }, /annotations\.csv:2:30: status is "2", it must be 0 or 1/],
    [{ annotations: [good.with(3, "SPECIAL_CASE").with(4, "yes")] }, /:2:28: status is "yes"/],
    [{ annotations: [good], criteria: one }, /criteria\.json: criterion "A\.1" is missing/],
    [{ annotations: [], posts: [...POSTS, ["b", "x"]] }, /posts\.csv:5:1: post b is there twice/],
    [{ annotations: [], posts: [...POSTS, ["c", ""]] }, /posts\.csv:5:3: the post is empty/],
    [{ annotations: [], posts: [...POSTS, ["", "x"]] }, /posts\.csv:5:1: post_id is empty/],
    [{ annotations: [], posts: POSTS.slice(0, 1) }, /posts\.csv: has a header but no rows/],
    [{ annotations: [], posts: [["post_id", "post"], ["a", "x"]] }, /posts\.csv:1: the column "text" is missing/],
  ];
  for (const [files, pattern] of cases) {
    await withFiles(files, async (options) => {
      await assert.rejects(prepare(options), (error) => {
        assert.ok(error instanceof EntailError && error.kind === "data");
        assert.match(error.message, pattern);
        return true;
      });
      await assert.rejects(Deno.stat(options.outputCsv), Deno.errors.NotFound);
    });
  }
});
