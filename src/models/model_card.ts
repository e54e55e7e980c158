/** The model card of a saved model: README.md, as the Hugging Face hub shows it. */
import { elements } from "../gpu/tensor.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import { MODELLING_FILE } from "./config_json.ts";
import { carriedDecision } from "./decision.ts";
import { headOf } from "./heads/registry.ts";
import { baseModel, type ModelConfig, pairMaxLength } from "./model_config.ts";
import { familyOf } from "./registry.ts";

/** The card's text. `metrics` are those of the validation fold by name; without any there is no table of them. */
export function modelCard(
  config: ModelConfig,
  specs: readonly ParameterSpec[],
  metrics: Readonly<Record<string, number>> = {},
): string {
  const parts = [frontMatter(config), INTRODUCTION, facts(config, specs), validation(config, metrics), usage(config)];
  return parts.filter((part) => part !== "").join("\n\n") + "\n";
}

const INTRODUCTION = `# Cross-encoder for posts and criteria

Reads a post and a criterion as one pair of texts and says whether the post is evidence for the criterion. Trained with
entail. It knows what its training data knew: it is no diagnosis.`;

function frontMatter(config: ModelConfig): string {
  const base = baseModel(config);
  return [
    "---",
    "library_name: transformers",
    "pipeline_tag: text-classification",
    "tags:",
    ...["cross-encoder", config.modelType, "entail", ...(headOf(config).isStock ? [] : ["custom_code"])]
      .map((tag) => `- ${tag}`),
    ...(base === null ? [] : [`base_model: ${base}`]),
    "---",
  ].join("\n");
}

const table = (rows: readonly (readonly [string, string])[]): string =>
  rows.map(([name, value]) => `| ${name} | ${value.replaceAll("|", "\\|")} |`).join("\n");

function facts(config: ModelConfig, specs: readonly ParameterSpec[]): string {
  const { classifierHead, labels, numHiddenLayers, hiddenSize } = config;
  const maxLength = pairMaxLength(config);
  const meaning = labels.length === 1
    ? "evidence, as the logit of a probability (sigmoid)"
    : "no evidence, evidence, in this order (softmax)";
  return table([
    ["Property", "Value"],
    ["---", "---"],
    ["Encoder", `${familyOf(config).title}, ${numHiddenLayers} layers of width ${hiddenSize}`],
    ["Parameters", specs.reduce((sum, { shape }) => sum + elements(shape), 0).toLocaleString("en")],
    ["Head", `\`${classifierHead}\`: ${headOf(config).describe(config)}, then \`classifier\``],
    ["Labels", `${labels.map((label) => `\`${label}\``).join(", ")}: ${meaning}`],
    ...decision(config),
    ...(maxLength === null ? [] : [["Longest pair", `${maxLength} tokens; a longer post is cut at its end`] as const]),
  ]);
}

/** From logits to a decision, as `predict` does it. */
function decision(config: ModelConfig): [string, string][] {
  const carried = carriedDecision(config);
  const positive: [string, string] = ["Positive", `from a probability of ${config.positiveThreshold} on`];
  if (carried === null) return [positive];
  const log = config.labels.length === 1 ? "logit" : "(second logit − first)";
  return [
    ["Probability", `sigmoid(${log} / ${carried.temperature}), calibrated on the validation fold`],
    positive,
    ...Object.entries(carried.criterionThresholds)
      .map(([text, threshold]) =>
        [`Positive for “${text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|")}”`, `from ${threshold} on`] as [
          string,
          string,
        ]
      ),
  ];
}

function validation(config: ModelConfig, metrics: Readonly<Record<string, number>>): string {
  const posts = carriedDecision(config) === null
    ? "the posts that this fold was not trained on"
    : "posts that this fold was not trained on, but on which the calibration and the threshold were chosen";
  const rows = Object.entries(metrics).map(([name, value]) => [name, value.toFixed(4)] as const);
  return rows.length === 0
    ? ""
    : `## Validation\n\nThe best epoch, on ${posts}.\n\n${table([["Metric", "Value"], ["---", "---"], ...rows])}`;
}

function usage(config: ModelConfig): string {
  const stock = headOf(config).isStock;
  const trust = stock ? "" : ", trust_remote_code=True";
  const maxLength = pairMaxLength(config);
  const length = maxLength === null ? "" : `, max_length=${maxLength}`;
  const need = stock ? "" : `
transformers has no such head: its code is in this folder (\`${MODELLING_FILE}\`), runs with
\`trust_remote_code=True\` only, and without it loading is an error.
`;
  return `## Use

Pairs are tokenized as \`[CLS] post [SEP] criterion [SEP]\`. Below, \`folder\` is this
folder; all three give the same logits.
${need}
With entail:

\`\`\`sh
./entail predict --checkpoint folder --input pairs.jsonl --output scores.jsonl
\`\`\`

With transformers:

\`\`\`python
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder${trust}).eval()
inputs = tokenizer(posts, criteria, truncation="only_first"${length}, padding=True, return_tensors="pt")
logits = model(**inputs).logits
\`\`\`

With sentence-transformers:

\`\`\`python
import torch
from sentence_transformers import CrossEncoder

model = CrossEncoder(folder${length}${trust}, activation_fn=torch.nn.Identity())
logits = model.predict(list(zip(posts, criteria)))
\`\`\``;
}
