import assert from "node:assert/strict";
import { configFromArchitecture, parseConfig, writeConfig } from "../../src/models/config_json.ts";
import {
  attentionScale,
  type DebertaConfig,
  hasPositionTerm,
  maxRelativePositions,
  positionSpan,
} from "../../src/models/deberta/config.ts";
import { baseModel, classifierDropout, headSize, withOrigin } from "../../src/models/model_config.ts";
import { dropoutRates, longestSequence } from "../../src/models/model.ts";
import { EntailError, type ErrorKind } from "../../src/errors.ts";

/** config.json of microsoft/deberta-v3-base. */
const V3_BASE = {
  model_type: "deberta-v2",
  attention_probs_dropout_prob: 0.1,
  hidden_act: "gelu",
  hidden_dropout_prob: 0.1,
  hidden_size: 768,
  initializer_range: 0.02,
  intermediate_size: 3072,
  max_position_embeddings: 512,
  relative_attention: true,
  position_buckets: 256,
  norm_rel_ebd: "layer_norm",
  share_att_key: true,
  pos_att_type: "p2c|c2p",
  layer_norm_eps: 1e-7,
  max_relative_positions: -1,
  position_biased_input: false,
  num_attention_heads: 12,
  num_hidden_layers: 12,
  type_vocab_size: 0,
  vocab_size: 128100,
};

const parseDeberta = (json: unknown): DebertaConfig => parseConfig(json, "config.json") as DebertaConfig;

function fails(kind: ErrorKind, pattern: RegExp, run: () => unknown): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof EntailError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, pattern);
    assert.ok(!error.message.includes("\n"), "one line");
    return true;
  });
}

Deno.test("parseConfig: DeBERTa-v3-base as published", () => {
  const config = parseDeberta(V3_BASE);
  assert.deepEqual(config.posAttType, ["p2c", "c2p"]);
  assert.equal(headSize(config), 64);
  assert.equal(maxRelativePositions(config), 512);
  assert.equal(positionSpan(config), 256);
  assert.equal(attentionScale(config), 1 / Math.sqrt(64 * 3));
  assert.equal(hasPositionTerm(config, "c2p"), true);
  assert.equal(classifierDropout(config), 0.1);
  assert.equal(config.padTokenId, 0);
  assert.deepEqual(config.labels, ["LABEL_0", "LABEL_1"]);
  assert.equal(config.classifierHead, "pooler_linear");
  assert.equal(config.positiveThreshold, 0.5);
});

Deno.test("parseConfig: absent keys have transformers' defaults", () => {
  const config = parseDeberta({ model_type: "deberta-v2" });
  const expected: DebertaConfig = {
    modelType: "deberta-v2",
    vocabSize: 128100,
    hiddenSize: 1536,
    numHiddenLayers: 24,
    numAttentionHeads: 24,
    intermediateSize: 6144,
    hiddenAct: "gelu",
    hiddenDropoutProb: 0.1,
    attentionProbsDropoutProb: 0.1,
    maxPositionEmbeddings: 512,
    typeVocabSize: 0,
    initializerRange: 0.02,
    layerNormEps: 1e-7,
    relativeAttention: false,
    maxRelativePositions: -1,
    positionBuckets: -1,
    normRelEbd: "none",
    shareAttKey: false,
    posAttType: [],
    positionBiasedInput: true,
    padTokenId: 0,
    embeddingSize: 1536,
    convKernelSize: 0,
    convGroups: 1,
    convAct: "tanh",
    poolerDropout: 0,
    poolerHiddenAct: "gelu",
    classifierDropout: null,
    labels: ["LABEL_0", "LABEL_1"],
    classifierHead: "pooler_linear",
    positiveThreshold: 0.5,
    other: {},
  };
  assert.deepEqual(config, expected);
  assert.equal(positionSpan(config), 512);
});

Deno.test("parseConfig: labels come from id2label, else num_labels, and a contradicting num_labels wins", () => {
  const labels = (extra: object) => parseConfig({ ...V3_BASE, ...extra }, "c").labels;
  assert.deepEqual(labels({ id2label: { "0": "no", "1": "yes" } }), ["no", "yes"]);
  assert.deepEqual(labels({ num_labels: 1 }), ["LABEL_0"]);
  assert.deepEqual(labels({ id2label: { "0": "no", "1": "yes" }, num_labels: 1 }), ["LABEL_0"]);
  fails("data", /c: id2label/, () => labels({ id2label: { "1": "no", "2": "yes" } }));
});

Deno.test("parseConfig: other model types are refused, saying what is supported", () => {
  fails("data", /^dir\/config\.json: model_type "gpt2" .*"deberta-v2", "bert", "roberta", "xlm-roberta"/, () => {
    parseConfig({ model_type: "gpt2" }, "dir/config.json");
  });
  fails("data", /model_type is missing/, () => parseConfig({ hidden_size: 3 }, "config.json"));
  fails("data", /expected an object/, () => parseConfig([], "config.json"));
});

Deno.test("parseConfig: every bad value is an error that names file and key", () => {
  const bad: [string, unknown][] = [
    ["vocab_size", 0],
    ["hidden_size", 30.5],
    ["hidden_size", 770],
    ["num_hidden_layers", "12"],
    ["intermediate_size", -1],
    ["hidden_act", "relu"],
    ["hidden_dropout_prob", 1],
    ["attention_probs_dropout_prob", -0.1],
    ["max_position_embeddings", null],
    ["type_vocab_size", -2],
    ["initializer_range", -1],
    ["layer_norm_eps", 0],
    ["relative_attention", 1],
    ["position_buckets", 2.5],
    ["norm_rel_ebd", "batch_norm"],
    ["pos_att_type", "c2p|p2p"],
    ["pos_att_type", 3],
    ["pad_token_id", 128100],
    ["pooler_hidden_act", "tanh"],
    ["pooler_hidden_size", 5],
    ["embedding_size", 0],
    ["attention_head_size", 32],
    ["conv_kernel_size", 4],
    ["conv_groups", 7],
    ["conv_act", "relu"],
    ["num_labels", 0],
    ["num_labels", 3],
    ["num_labels", 1e9],
    ["num_hidden_layers", 1e5],
    ["num_attention_heads", 1e9],
    ["intermediate_size", 1e9],
    ["hidden_size", 1e9],
    ["vocab_size", 1e12],
    ["max_position_embeddings", 1e9],
    ["position_buckets", 1e9],
    ["id2label", ["a", "b"]],
    ["classifier_head", "mlp9"],
    ["positive_threshold", 1.5],
    ["cls_dropout", "none"],
  ];
  for (const [key, value] of bad) {
    fails("data", new RegExp(`^dir/config\\.json: ${key}: `), () => {
      parseConfig({ ...V3_BASE, [key]: value }, "dir/config.json");
    });
  }
});

Deno.test("writeConfig: what it writes is read back, foreign keys stay, the old precision does not", () => {
  const config = parseConfig({
    ...V3_BASE,
    id2label: { 0: "no", 1: "yes" },
    cls_dropout: 0.25,
    classifier_head: "max_pooling",
    positive_threshold: 0.375,
    torch_dtype: "float16",
    bos_token_id: 1,
  }, "config.json");
  const written = JSON.parse(JSON.stringify(writeConfig(config)));
  assert.deepEqual(parseConfig(written, "config.json"), config);
  assert.equal(written.bos_token_id, 1);
  assert.equal(written.dtype, "float32");
  assert.ok(!("torch_dtype" in written));
  assert.deepEqual(written.label2id, { no: 0, yes: 1 });
});

Deno.test("parseConfig: more than two labels are refused, by count or by name", () => {
  const names = { 0: "contradiction", 1: "entailment", 2: "neutral" };
  fails("data", /^dir\/config\.json: num_labels: is 3; only 1 \(sigmoid\) or 2 labels/, () => {
    parseConfig({ ...V3_BASE, id2label: names }, "dir/config.json");
  });
  assert.equal(parseConfig({ ...V3_BASE, id2label: names, num_labels: 2 }, "c").labels.length, 2);
});

Deno.test("parseConfig: a task has its own number of labels; as many names are kept", () => {
  const labels = (names: object, numLabels: number) =>
    parseConfig({ ...V3_BASE, id2label: names }, "c", { numLabels }).labels;
  const names = { 0: "contradiction", 1: "entailment", 2: "neutral" };
  assert.deepEqual(labels(names, 2), ["LABEL_0", "LABEL_1"]);
  assert.deepEqual(labels({ 0: "no", 1: "yes" }, 2), ["no", "yes"]);
  assert.deepEqual(labels({ 0: "no", 1: "yes" }, 1), ["LABEL_0"]);
});

Deno.test("writeConfig: a head that transformers lacks is a type of its own, with the classes that compute it", () => {
  const config = parseConfig({ ...V3_BASE, classifier_head: "mean_pooling" }, "c");
  const written = writeConfig(config);
  assert.equal(written.model_type, "entail-deberta-v2");
  assert.deepEqual(written.architectures, ["EntailDebertaV2ForSequenceClassification"]);
  assert.deepEqual(written.auto_map, {
    AutoConfig: "modeling_entail.EntailDebertaV2Config",
    AutoModelForSequenceClassification: "modeling_entail.EntailDebertaV2ForSequenceClassification",
  });
  assert.deepEqual(parseConfig(written, "c"), config);
  const { classifier_head: _, ...headless } = written;
  fails("data", /^c: classifier_head: is missing/, () => parseConfig(headless, "c"));
  const stock = writeConfig({ ...config, classifierHead: "pooler_linear" });
  assert.deepEqual([stock.model_type, stock.auto_map], ["deberta-v2", undefined]);
});

Deno.test("parseConfig: a pooling head under DeBERTa-v2's own type, as earlier versions wrote it, is still read", () => {
  assert.equal(parseConfig({ ...V3_BASE, classifier_head: "max_pooling" }, "c").classifierHead, "max_pooling");
});

Deno.test("writeConfig: what a model was used for before is not handed on", () => {
  const before = {
    auto_map: { AutoModel: "other.Model" },
    problem_type: "regression",
    sentence_transformers: { activation_fn: "torch.nn.modules.activation.Sigmoid" },
  };
  const written = writeConfig(parseConfig({ ...V3_BASE, ...before }, "c"));
  for (const key of Object.keys(before)) assert.ok(!(key in written), key);
});

Deno.test("writeConfig: pairs longer than max_position_embeddings move it, and no distance changes", () => {
  const config = withOrigin(parseDeberta({ ...V3_BASE, position_buckets: -1 }), 700, "/home/me/model");
  const written = writeConfig(config);
  assert.deepEqual([written.max_position_embeddings, written.max_relative_positions], [700, 512]);
  assert.equal(positionSpan(parseDeberta(written)), positionSpan(config));
  const short = writeConfig(withOrigin(config, 512, null));
  assert.deepEqual([short.max_position_embeddings, short.max_relative_positions], [512, -1]);
  assert.equal(baseModel(config), null);
  assert.equal(baseModel(withOrigin(config, 512, "microsoft/deberta-v3-base")), "microsoft/deberta-v3-base");
});

Deno.test("writeConfig: a pooler_linear model is a DebertaV2ForSequenceClassification", () => {
  assert.deepEqual(writeConfig(parseConfig(V3_BASE, "c")).architectures, ["DebertaV2ForSequenceClassification"]);
});

Deno.test("configFromArchitecture: each family has its own defaults and refuses the keys of others", () => {
  const from = (architecture: Record<string, unknown>) =>
    configFromArchitecture(architecture, { numLabels: 2, classifierHead: "linear" });
  const sizes = ({ vocabSize, typeVocabSize, layerNormEps, padTokenId, hiddenSize }: ReturnType<typeof from>) => [
    ...[vocabSize, typeVocabSize, layerNormEps, padTokenId, hiddenSize],
  ];
  assert.deepEqual(sizes(from({ model_type: "bert", vocab_size: null })), [30522, 2, 1e-12, 0, 768]);
  assert.deepEqual(sizes(from({ model_type: "roberta" })), [50265, 2, 1e-12, 1, 768]);
  assert.deepEqual(sizes(from({})), [128100, 0, 1e-7, 0, 1536]);
  fails("usage", /^model\.architecture\.position_buckets: model_type bert has no such key/, () => {
    from({ model_type: "bert", position_buckets: 32 });
  });
  fails("usage", /^model\.architecture\.model_type must be one of deberta-v2, bert, roberta, xlm-roberta/, () => {
    from({ model_type: "gpt2" });
  });
});

Deno.test("parseConfig: BERT and RoBERTa as published, and what of them is refused by name", () => {
  const bert = {
    model_type: "bert",
    hidden_size: 384,
    num_hidden_layers: 6,
    intermediate_size: 1536,
    vocab_size: 30522,
  };
  const minilm = parseConfig({ ...bert, use_cache: true, id2label: { 0: "LABEL_0" } }, "c");
  assert.equal(longestSequence(minilm), 512);
  assert.deepEqual(minilm.labels, ["LABEL_0"]);
  assert.deepEqual(minilm.other, { use_cache: true });
  assert.deepEqual(writeConfig(minilm).architectures, ["BertForSequenceClassification"]);
  const roberta = { model_type: "xlm-roberta", max_position_embeddings: 514, type_vocab_size: 1, pad_token_id: 1 };
  const reranker = parseConfig({ ...roberta, num_labels: 1, classifier_dropout: 0.2 }, "c");
  assert.equal(longestSequence(reranker), 512);
  assert.deepEqual(dropoutRates(reranker), { hidden: 0.1, attention: 0.1, pooler: 0.2, classifier: 0.2 });
  assert.deepEqual(parseConfig(writeConfig(reranker), "c"), { ...reranker });
  const bad: [object, RegExp][] = [
    [{ ...bert, hidden_act: "relu" }, /^c: hidden_act: must be "gelu"/],
    [{ ...bert, position_embedding_type: "relative_key" }, /^c: position_embedding_type: must be "absolute"/],
    [{ ...bert, is_decoder: true }, /^c: is_decoder: must be false/],
    [{ ...roberta, pad_token_id: null }, /^c: pad_token_id: must be a token/],
    [{ ...roberta, max_position_embeddings: 2 }, /^c: max_position_embeddings: must be more than 2/],
  ];
  for (const [json, message] of bad) fails("data", message, () => parseConfig(json, "c"));
});

Deno.test("configFromArchitecture: names as in config.json, errors name the configuration's key", () => {
  const { model_type: _type, ...architecture } = V3_BASE;
  const config = configFromArchitecture({ ...architecture, tokenizer: "dir", pooler_hidden_size: null }, {
    numLabels: 1,
    classifierHead: "mean_pooling",
    vocabSize: 97,
  });
  assert.equal(config.vocabSize, 97);
  assert.equal(config.labels.length, 1);
  assert.equal(config.classifierHead, "mean_pooling");
  assert.deepEqual(config.other, {});
  fails("usage", /^model\.architecture\.hidden_size: 31 is not a multiple of num_attention_heads, 12/, () => {
    configFromArchitecture({ ...architecture, hidden_size: 31 }, { numLabels: 2, classifierHead: "linear" });
  });
});
