/**
 * Writes the demo data, or text to pretrain the demo's checkpoint on. The same seed gives the same bytes.
 *
 *   deno run -A scripts/demo/generate.ts [--output data/demo]
 *   deno run -A scripts/demo/generate.ts --pretraining --pairs 200000 --seed 1 --sentences 6 --output text.csv
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bestKeywordRule, wordsOf } from "./keyword_rule.ts";
import { allPairs, demoPosts, type Pair, type Post, pretrainingPairs } from "./posts.ts";
import { createRandom } from "./random.ts";
import { annotationsCsv, criteriaJson, groundtruthCsv, postsCsv } from "./tables.ts";

/** Size and seed of the committed demo set. */
export const DEMO_POSTS = 420;
export const DEMO_SEED = 20;

/** The demo set: posts, all their pairs, and the files that hold them. */
export function generateDemo(): { posts: Post[]; pairs: Pair[]; files: Record<string, string> } {
  const posts = demoPosts(createRandom(DEMO_SEED), DEMO_POSTS);
  const pairs = allPairs(posts);
  const files = {
    "posts.csv": postsCsv(posts),
    "annotations.csv": annotationsCsv(posts),
    "groundtruth.csv": groundtruthCsv(pairs),
    "criteria.json": criteriaJson(),
  };
  return { posts, pairs, files };
}

/** Pretraining pairs that share no post with the demo set. */
export function generatePretraining(pairs: number, seed: number, maxSentences: number): Pair[] {
  const excluded = new Set(generateDemo().posts.map((post) => post.text));
  return pretrainingPairs(createRandom(seed), pairs, maxSentences, excluded);
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** Posts, pairs, share of positives and lengths, one line each. */
function describe(pairs: Pair[]): string {
  const posts = [...new Set(pairs.map((pair) => pair.post))];
  const positives = pairs.filter((pair) => pair.label === 1).length;
  const counts = posts.map((post) => post.sentences.length);
  const words = posts.reduce((sum, post) => sum + wordsOf(post.text).length, 0) / posts.length;
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return [
    `posts        ${posts.length}`,
    `pairs        ${pairs.length}`,
    `positives    ${positives} (${percent(positives / pairs.length)})`,
    `sentences    ${counts.reduce((a, b) => Math.min(a, b))} to ${
      counts.reduce((a, b) => Math.max(a, b))
    } per post, mean ${mean.toFixed(2)}`,
    `words        ${words.toFixed(1)} per post`,
  ].join("\n");
}

function main(): void {
  const { values } = parseArgs({
    options: {
      pretraining: { type: "boolean", default: false },
      pairs: { type: "string", default: "200000" },
      seed: { type: "string", default: "1" },
      sentences: { type: "string", default: "6" },
      output: { type: "string" },
    },
  });
  if (values.pretraining) {
    const pairs = generatePretraining(Number(values.pairs), Number(values.seed), Number(values.sentences));
    writeFileSync(values.output ?? "pretraining.csv", groundtruthCsv(pairs));
    console.log(describe(pairs));
    return;
  }
  const directory = values.output ?? "data/demo";
  const { pairs, files } = generateDemo();
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  console.log(describe(pairs));
  const rule = bestKeywordRule(pairs);
  for (const { id, f1, phrases } of rule.perCriterion) {
    console.log(
      `keyword rule ${id}: F1 ${f1.toFixed(3)} (${phrases.slice(0, 4).join(", ")}, … ${phrases.length} phrases)`,
    );
  }
  console.log(`best keyword rule: mean F1 ${rule.meanF1.toFixed(3)}`);
}

if (import.meta.main) main();
