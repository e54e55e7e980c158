import assert from "node:assert/strict";
import { parse } from "../../src/packages/yaml.ts";
import { readModelConfig } from "../../src/models/checkpoint.ts";
import { DEFAULT_CHUNKING, withChunking } from "../../src/models/chunking.ts";
import { withOrigin } from "../../src/models/model_config.ts";
import { modelCard } from "../../src/models/model_card.ts";
import { modelParameters } from "../../src/models/parameters.ts";
import { withDecision } from "../../src/models/decision.ts";
import { TEXT_MODEL } from "../support/run_data.ts";

const frontMatter = (card: string) => parse(card.split("---\n")[1]);

Deno.test("modelCard: what the hub reads, what the model is, how long pairs may be", async () => {
  const config = withOrigin(await readModelConfig(TEXT_MODEL), 80, "microsoft/deberta-v3-base");
  const card = modelCard(config, modelParameters(config), { F1: 0.87654 });
  assert.deepEqual(frontMatter(card), {
    library_name: "transformers",
    pipeline_tag: "text-classification",
    tags: ["cross-encoder", "deberta-v2", "entail"],
    base_model: "microsoft/deberta-v3-base",
  });
  for (
    const said of ["pooler_linear", "`no evidence`, `evidence`", "| 80 tokens", "max_length=80", "| F1 | 0.8765 |"]
  ) {
    assert.ok(card.includes(said), said);
  }
  assert.doesNotMatch(card, /trust_remote_code/);
});

Deno.test("modelCard: posts that are read in chunks are said to be, and that other programs cut them", async () => {
  const origin = withOrigin(await readModelConfig(TEXT_MODEL), 80, null);
  const cards = (["max", "LSE", "top-m"] as const).map((aggType) => {
    const config = withChunking(origin, { stride: 16, aggType, lseTau: 8, topM: 3 });
    return modelCard(config, modelParameters(config));
  });
  for (const card of cards) {
    assert.match(card, /\| 80 tokens; a longer post is read in chunks that share 16 tokens/);
    assert.match(card, /all three give the same logits where a post is one chunk/);
  }
  const scores = ["of the post is the highest", "is log(mean(exp(8·s)))/8", "is the mean of the 3 highest"];
  scores.forEach((score, i) => assert.ok(cards[i].includes(score), score));
});

Deno.test("modelCard: a head that transformers lacks needs trust_remote_code; folders of this machine are not named", async () => {
  const stored = await readModelConfig(TEXT_MODEL);
  const config = withOrigin({ ...stored, classifierHead: "max_pooling", labels: ["LABEL_0"] }, 80, TEXT_MODEL);
  const card = modelCard(config, modelParameters(config));
  assert.deepEqual(frontMatter(card).tags.at(-1), "custom_code");
  assert.equal(frontMatter(card).base_model, undefined);
  assert.equal(card.match(/trust_remote_code=True/g)?.length, 3);
  assert.match(card, /sigmoid/);
  assert.doesNotMatch(card, /## Validation/);
  assert.ok(!card.includes(TEXT_MODEL));
});

Deno.test("modelCard: what was chosen on the validation fold stands with its texts in one line", async () => {
  const config = withDecision(await readModelConfig(TEXT_MODEL), {
    temperature: 1.5,
    threshold: 0.25,
    criterionThresholds: { "Sleep\nor | rest": 0.75 },
  });
  const card = modelCard(config, modelParameters(config), { F1: 0.5 });
  assert.match(card, /not trained on, but on which the calibration and the threshold were chosen\./);
  assert.match(card, /\| Probability \| sigmoid\(\(second logit − first\) \/ 1\.5\), calibrated/);
  const inChunks = modelCard(withChunking(config, DEFAULT_CHUNKING), modelParameters(config));
  assert.match(inChunks, /\| Probability \| sigmoid\(score of the post \/ 1\.5\), calibrated/);
  assert.ok(card.includes("| Positive | from a probability of 0.25 on |"));
  assert.ok(card.includes("| Positive for “Sleep or \\| rest” | from 0.75 on |"));
});
