import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "../../src/packages/csv_parse.ts";
import { prepare } from "../../src/dataset/prepare.ts";
import { CRITERIA } from "../../scripts/demo/expressions.ts";
import { generateDemo, generatePretraining } from "../../scripts/demo/generate.ts";
import { bestKeywordRule } from "../../scripts/demo/keyword_rule.ts";
import type { Pair, Post } from "../../scripts/demo/posts.ts";

const folder = new URL("../../data/demo/", import.meta.url);
const readDemo = (name: string) => readFileSync(new URL(name, folder), "utf8");
const readRows = (name: string): Record<string, string>[] => parse(readDemo(name), { columns: true });

Deno.test("generateDemo: gives the committed files byte for byte", () => {
  for (const [name, text] of Object.entries(generateDemo().files)) {
    assert.ok(text === readDemo(name), `${name} differs: run scripts/demo/generate.ts`);
  }
});

Deno.test("generateDemo: several hundred posts of one to fifteen sentences, 11 to 20 % positive pairs", () => {
  const { posts, pairs } = generateDemo();
  const lengths = posts.map((post) => post.sentences.length);
  assert.ok(posts.length >= 300 && posts.length < 1000);
  assert.equal(pairs.length, posts.length * 9);
  assert.deepEqual([Math.min(...lengths), Math.max(...lengths)], [1, 15]);
  const share = pairs.filter((pair) => pair.label === 1).length / pairs.length;
  assert.ok(share >= 0.11 && share <= 0.2, `share of positives ${share}`);
  for (const criterion of CRITERIA.keys()) {
    const positives = pairs.filter((pair) => pair.criterion === criterion && pair.label === 1).length;
    assert.ok(positives >= 30, `criterion ${CRITERIA[criterion].id} has ${positives} positive posts`);
  }
});

Deno.test("prepare: makes groundtruth.csv of posts.csv and annotations.csv", async () => {
  const output = await Deno.makeTempFile({ suffix: ".csv" });
  try {
    const path = (name: string) => fileURLToPath(new URL(name, folder));
    await prepare({
      postsCsv: path("posts.csv"),
      annotationsCsv: path("annotations.csv"),
      criteriaJson: path("criteria.json"),
      outputCsv: output,
    });
    assert.deepEqual(readFileSync(output, "utf8"), readDemo("groundtruth.csv"));
  } finally {
    await Deno.remove(output);
  }
});

Deno.test("annotations.csv: every sentence stands in its post, and every kind of distraction occurs", () => {
  const texts = new Map(readRows("posts.csv").map((row) => [row.post_id, row.text]));
  const rows = readRows("annotations.csv");
  for (const row of rows) assert.ok(texts.get(row.post_id)?.includes(row.sentence_text), row.sentence_id);
  const explanations = new Set(rows.filter((row) => row.status === "0").map((row) => row.explanation));
  assert.equal(explanations.size, 4);
});

Deno.test("generatePretraining: shares no post and not all expressions with the demo set", () => {
  const demo = generateDemo().posts;
  const texts = new Set(demo.map((post) => post.text));
  const pairs = generatePretraining(5000, 3, 6);
  assert.equal(pairs.length, 5000);
  for (const pair of pairs) assert.ok(!texts.has(pair.post.text), pair.post.text);
  for (const { id, expressions } of CRITERIA) {
    assert.ok(expressions.shared.length >= 8, id);
    assert.ok(expressions.demo.length >= 3 && expressions.pretraining.length >= 4, id);
  }
  const pretrained = pairs.map((pair) => pair.post.text).join(" ");
  const demoText = demo.map((post) => post.text).join(" ");
  for (const [own, other] of [["lose all hope", "break into tears"], ["crawl home", "tire after the smallest chore"]]) {
    assert.ok(demoText.includes(own) && !pretrained.includes(own), own);
    assert.ok(pretrained.includes(other) && !demoText.includes(other), other);
  }
});

Deno.test("generatePretraining: no pair twice, a share of positives to learn from, another text for another seed", () => {
  const pairs = generatePretraining(3000, 5, 3);
  assert.equal(new Set(pairs.map((pair) => `${pair.post.id} ${pair.criterion}`)).size, 3000);
  const share = pairs.filter((pair) => pair.label === 1).length / pairs.length;
  assert.ok(share > 0.3 && share < 0.45, `share of positives ${share}`);
  assert.notEqual(pairs[0].post.text, generatePretraining(3, 6, 3)[0].post.text);
});

Deno.test("bestKeywordRule: at most 0.65 on the demo set", () => {
  const { meanF1 } = bestKeywordRule(generateDemo().pairs);
  assert.ok(meanF1 <= 0.65, `mean F1 ${meanF1}`);
  // A search that finds next to nothing would make the bound above worthless: "feel" alone is better than this.
  assert.ok(meanF1 >= 0.5, `mean F1 ${meanF1}`);
});

Deno.test("bestKeywordRule: finds the perfect rule where there is one", () => {
  const post = (id: string, text: string): Post => ({ id, text, sentences: [] });
  const texts: [string, 0 | 1][] = [
    ["I lie in bed and sleep twelve hours a day.", 1],
    ["We moved to a new town.", 0],
    ["Now I need pills.", 1],
    ["The weather was warm.", 0],
  ];
  const pairs = texts.flatMap(([text, label], index) => {
    const one = post(String(index), text);
    return CRITERIA.map((_, criterion): Pair => ({ post: one, criterion, label: criterion === 3 ? label : 0 }));
  });
  const rule = bestKeywordRule(pairs).perCriterion[3];
  assert.equal(rule.f1, 1);
  assert.equal(rule.phrases.length, 2);
});
