import assert from "node:assert/strict";
import { join } from "node:path";
import { loadEvidence } from "../../src/augmentation/evidence.ts";
import type { Pair } from "../../src/dataset/groundtruth.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const POST = "Nothing helps. I cannot\nsleep at night. My bed is cold. I wake early.";
const pair = (postId: string, criterionId: string, label: 0 | 1): Pair => ({
  postId,
  post: POST,
  criterionId,
  criterion: "A criterion.",
  label,
});

async function evidenceOf(pairs: Pair[], rows: string[]): Promise<Map<number, string[]>> {
  const found = new Map<number, string[]>();
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "annotations.csv");
    const header = "post_id,sentence_id,sentence_text,DSM5_symptom,status,explanation";
    Deno.writeTextFileSync(path, [header, ...rows].join("\n"));
    for (const [index, { words }] of (await loadEvidence(path, pairs)).evidence) {
      found.set(index, words.map(({ start, end }) => pairs[index].post.slice(start, end)));
    }
  });
  return found;
}

Deno.test("loadEvidence: several sentences of a post and criterion are one pair; line breaks do not matter", async () => {
  const rows = ["p,1,I wake early.,SLEEP_ISSUES,1,x", "p,2,I cannot sleep at night.,SLEEP_ISSUES,1,x"];
  assert.deepEqual(
    await evidenceOf([pair("p", "A.1", 1), pair("p", "A.4", 1)], rows),
    new Map([
      [1, ["sleep", "night", "wake", "early"]],
    ]),
  );
});

Deno.test("loadEvidence: nothing for negatives, absent symptoms, other posts, sentences that do not occur", async () => {
  const rows = [
    "p,1,I wake early.,SLEEP_ISSUES,1,x",
    "p,2,My bed is cold.,FATIGUE,0,x",
    "p,3,My bed is cold.,SPECIAL_CASE,1,x",
    "p,4,I never said this.,ANHEDONIA,1,x",
    "q,1,My bed is cold.,DEPRESSED_MOOD,1,x",
  ];
  const pairs = [
    pair("p", "A.4", 0),
    pair("p", "A.6", 1),
    pair("p", "A.1", 1),
    pair("p", "A.2", 1),
    pair("q", "A.1", 1),
    pair("r", "A.1", 1),
  ];
  assert.deepEqual(await evidenceOf(pairs, rows), new Map([[4, ["bed", "cold"]]]));
});
