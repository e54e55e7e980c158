/**
 * Writes the text that scripts/demo/masked_lm.py trains the demo's masked language model on, one post a line: posts that
 * are not in the demo set, with some words exchanged for others of their kind.
 *
 *   deno run -A scripts/demo/masked_lm_text.ts --output text.txt
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { generateDemo, generatePretraining } from "./generate.ts";
import { exchangeWords } from "./interchangeable.ts";
import { createRandom } from "./random.ts";

/** Pairs whose posts are taken, their seed and their longest post. */
const PAIRS = 120_000;
const SEED = 3;
const SENTENCES = 6;

/** Different posts, none of the demo set. */
export function maskedLmText(pairs: number): string[] {
  const random = createRandom(SEED);
  const texts = new Set<string>();
  for (const { post } of generatePretraining(pairs, SEED, SENTENCES)) texts.add(post.text);
  const exchanged = new Set([...texts].map((text) => exchangeWords(random, text)));
  for (const { text } of generateDemo().posts) exchanged.delete(text);
  return [...exchanged];
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { output: { type: "string", default: "text.txt" } } });
  const texts = maskedLmText(PAIRS);
  writeFileSync(values.output, texts.map((text) => text.replaceAll("\n\n", " ") + "\n").join(""));
  console.log(`${texts.length} posts`);
}
