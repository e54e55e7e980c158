/** The model card of a saved model: README.md, as the Hugging Face hub shows it. */
import { elements } from "../gpu/tensor.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import { type Chunking, recordedChunking } from "./chunking.ts";
import { MODELLING_FILE } from "./config_json.ts";
import type { Adapter } from "./adapter.ts";
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

/** The adapter, where the folder has that instead of whole weights. */
const savedAdapter = ({ adapter }: ModelConfig): Adapter | null => adapter?.save === "adapter" ? adapter : null;

function frontMatter(config: ModelConfig): string {
  const base = baseModel(config);
  const isAdapter = savedAdapter(config) !== null;
  return [
    "---",
    `library_name: ${isAdapter ? "peft" : "transformers"}`,
    "pipeline_tag: text-classification",
    "tags:",
    ...[
      "cross-encoder",
      config.modelType,
      "entail",
      ...(isAdapter ? ["lora"] : []),
      ...(headOf(config).isStock ? [] : ["custom_code"]),
    ]
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
    ...adapters(config),
    ["Labels", `${labels.map((label) => `\`${label}\``).join(", ")}: ${meaning}`],
    ...decision(config),
    ...(maxLength === null ? [] : [["Longest pair", longPosts(maxLength, recordedChunking(config))] as const]),
  ]);
}

const inBits = ({ bits }: Adapter): string => bits.replace("bit", " bits");

function adapters({ adapter }: ModelConfig): [string, string][] {
  if (!adapter) return [];
  const { rank, alpha, targets, bits, save } = adapter;
  const where = targets === "qkv" ? "the projections of attention" : "the projections and the dense layer of attention";
  const base = bits === "none" ? "" : `; the base was held in ${inBits(adapter)} in training`;
  const kept = save === "merged" ? "added to the weights" : "to be used with the base model";
  return [["Adapters", `LoRA of rank ${rank}, alpha ${alpha}, on ${where}, ${kept}${base}`]];
}

function longPosts(maxLength: number, chunking: Chunking | null): string {
  return chunking === null
    ? `${maxLength} tokens; a longer post is cut at its end`
    : `${maxLength} tokens; a longer post is read in chunks that share ${chunking.stride} tokens; with their scores s ` +
      `(logits; of two labels, the second less the first) that of the post is ${scoreOf(chunking)}`;
}

function scoreOf({ aggType, lseTau, topM }: Chunking): string {
  if (aggType === "max") return "the highest";
  return aggType === "LSE" ? `log(mean(exp(${lseTau}·s)))/${lseTau}` : `the mean of the ${topM} highest`;
}

/** From logits to a decision, as `predict` does it. */
function decision(config: ModelConfig): [string, string][] {
  const carried = carriedDecision(config);
  const positive: [string, string] = ["Positive", `from a probability of ${config.positiveThreshold} on`];
  if (carried === null) return [positive];
  const ofOne = config.labels.length === 1 ? "logit" : "(second logit − first)";
  const log = recordedChunking(config) === null ? ofOne : "score of the post";
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
  const chunked = recordedChunking(config) === null
    ? ""
    : " where a post is one chunk; longer ones only entail reads to\ntheir end";
  const adapter = savedAdapter(config);
  const sameness = adapter === null
    ? "all three give the same logits"
    : adapter.bits === "none"
    ? "both give the same logits"
    : `entail rounds the base model to ${inBits(adapter)} as in training, peft need not`;
  const need = stock ? "" : `
transformers has no such head: its code is in this folder (\`${MODELLING_FILE}\`), runs with
\`trust_remote_code=True\` only, and without it loading is an error.
`;
  return `## Use

Pairs are tokenized as \`[CLS] post [SEP] criterion [SEP]\`. Below, \`folder\` is this
folder; ${sameness}${chunked}.
${need}
With entail:

\`\`\`sh
./entail predict --checkpoint folder --input pairs.jsonl --output scores.jsonl
\`\`\`
${adapter === null ? withWholeWeights({ trust, length }) : withPeft(config, adapter, length)}`;
}

function withPeft({ labels }: ModelConfig, { base }: Adapter, length: string): string {
  const revision = base.revision === null ? "" : `, revision="${base.revision}"`;
  return `
With peft:

\`\`\`python
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained("${base.name}", num_labels=${labels.length}${revision})
model = PeftModel.from_pretrained(model, folder).eval()
inputs = tokenizer(posts, criteria, truncation="only_first"${length}, padding=True, return_tensors="pt")
logits = model(**inputs).logits
\`\`\``;
}

const withWholeWeights = ({ trust, length }: { trust: string; length: string }): string => `
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
