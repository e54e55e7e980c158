/** Models of tests/fixtures with what transformers makes of them; tests/oracles/families.py explains the files. */
import { parseConfig } from "../../src/models/config_json.ts";
import type { ModelConfig } from "../../src/models/model_config.ts";
import { readJson } from "../../src/formats/json.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { type LossKind, type LossWeights, PLAIN_LOSS } from "../../src/nn/loss.ts";

/** Cases by family: tests/fixtures/<family>/<case>. */
const CASES = {
  deberta: [
    "shared_buckets",
    "separate_c2p",
    "separate_p2c",
    "absolute",
    "separate_both",
    "shared_c2p",
    "convolution",
    "narrow_embeddings",
    "attention_pooling",
    "mlp1",
    "mlp2",
  ],
  bert: ["bert", "bert_mean"],
  roberta: ["roberta"],
  xlm_roberta: ["xlm_roberta"],
} as const;
type Family = keyof typeof CASES;
export type ModelCase = typeof CASES[Family][number];

export const MODEL_CASES: readonly ModelCase[] = Object.values(CASES).flat();

export interface FixtureTensor {
  shape: readonly number[];
  data: Float32Array<ArrayBuffer>;
}

export interface ExpectedTraining {
  /** Micro-batches per step. */
  accumulation: number;
  learningRate: number;
  warmupSteps: number;
  weightDecay: number;
  maxGradNorm: number;
  steps: {
    /** Indices of the sequences of each micro-batch. */
    microBatches: number[][];
    /** Mean over the micro-batches of their mean losses. */
    loss: number;
    /** Before clipping. */
    gradNorm: number;
    learningRate: number;
  }[];
}

export interface ModelFixture {
  /** A Hugging Face folder. */
  folder: string;
  config: ModelConfig;
  /** Parameters at first, by transformers' names. */
  weights: Map<string, FixtureTensor>;
  loss: {
    type: "ce" | "focal" | "bce" | "weighted_bce";
    gamma: number | null;
    /** Of the positive class; null: none. */
    alpha: number | null;
    posWeight: number | null;
  };
  sequences: number[][];
  typeIds: number[][];
  labels: number[];
  /** Indices of the sequences in the forward batch. */
  batch: number[];
  /** Mean loss and gradient norm of the forward batch. */
  lossValue: number;
  gradNorm: number;
  /** Parameters whose gradient is zero but for rounding. */
  zeroGradients: string[];
  training: ExpectedTraining[];
  /** hidden_states.<i>, logits, gradient.<parameter>, trained.<accumulation>.<parameter>. */
  expected: Map<string, FixtureTensor>;
}

export interface TextFixture {
  folder: string;
  maxLength: number;
  pairs: {
    post: string;
    criterion: string;
    ids: number[];
    typeIds: number[];
    logits: number[];
    probability: number;
  }[];
}

/** The kind and the constants of a fixture's loss. */
export const lossOf = ({ loss }: ModelFixture): { kind: LossKind; weights: LossWeights } => ({
  kind: loss.type === "focal" ? "focal" : "cross_entropy",
  weights: {
    ...PLAIN_LOSS,
    gamma: loss.gamma ?? 0,
    positiveWeight: loss.posWeight ?? loss.alpha ?? 1,
    negativeWeight: loss.alpha === null ? 1 : 1 - loss.alpha,
  },
});

export const DEBERTA_FIXTURES = new URL("../fixtures/deberta/", import.meta.url);

export async function loadModelFixture(name: ModelCase): Promise<ModelFixture> {
  const family = Object.entries(CASES).find(([, names]) => (names as readonly string[]).includes(name))![0];
  const folder = decodeURIComponent(new URL(`../fixtures/${family}/${name}`, import.meta.url).pathname);
  const scalars = await readJson(`${folder}/expected.json`) as Omit<
    ModelFixture,
    "folder" | "config" | "weights" | "expected"
  >;
  return {
    folder,
    config: parseConfig(await readJson(`${folder}/config.json`), `${folder}/config.json`),
    weights: await readTensors(`${folder}/model.safetensors`),
    ...scalars,
    expected: await readTensors(`${folder}/expected.safetensors`),
  };
}

/** Families, beside DeBERTa, of which there is a folder as it is published (tests/oracles/family_texts.py). */
export const TEXT_FAMILIES = ["bert", "roberta"] as const;

export async function loadTextFixture(
  family: "deberta" | typeof TEXT_FAMILIES[number] = "deberta",
): Promise<TextFixture> {
  const folder = decodeURIComponent(new URL(`../fixtures/${family}/text`, import.meta.url).pathname);
  return { folder, ...(await readJson(`${folder}/expected.json`) as Omit<TextFixture, "folder">) };
}

/** All tensors of a safetensors file. */
export async function readTensors(path: string): Promise<Map<string, FixtureTensor>> {
  const source = await openSafetensors(path);
  try {
    const tensors = new Map<string, FixtureTensor>();
    for (const [name, { shape }] of source.tensors) tensors.set(name, { shape, data: await source.readTensor(name) });
    return tensors;
  } finally {
    source.close();
  }
}
