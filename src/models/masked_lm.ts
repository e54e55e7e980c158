/**
 * The masked language model, forward only: transformers' `…ForMaskedLM`. One token of each sequence is masked,
 * and only those go through the head: dense, GELU, LayerNorm, then the product with the table of word embeddings.
 */
import { type Tensor, viewOf } from "../gpu/tensor.ts";
import { layerNormForward } from "../nn/layer_norm.ts";
import { linearForward } from "../nn/linear.ts";
import { poolForward } from "../nn/pooling.ts";
import { wordTable, wordWidth } from "./embeddings.ts";
import type { Encoder } from "./family.ts";
import { familyOf } from "./registry.ts";
import { linear, type Scope } from "./scope.ts";

/** Logits [sequences, tokens] of tokens `tokenBegin` … `tokenBegin + tokens` of the vocabulary. */
export interface LogitShard {
  readonly logits: Tensor;
  readonly tokenBegin: number;
  readonly tokens: number;
}

/**
 * Logits of the masked token of each sequence over the whole vocabulary, in the shards of the table of word embeddings.
 * `masked`, u32 [sequences + 1]: the index in the batch of each sequence's masked token; the last element is not used.
 */
export function maskedLmForward(scope: Scope, encoder: Encoder, masked: Tensor): LogitShard[] {
  const { plan, config, parameters, batch: { sequences } } = scope;
  const { hiddenSize: hidden, layerNormEps: eps } = config;
  const { prefix, maskedLm } = familyOf(config);
  const width = wordWidth(parameters.specs, prefix);
  const { hiddenStates } = encoder.forward(scope);

  // Pooling takes the token that stands at a sequence's offset: here that of the mask.
  const gathered = plan.transient("masked hidden states", [sequences.capacity, hidden]);
  poolForward(plan, { x: hiddenStates, offsets: masked, pooled: gathered }, {
    kind: "first",
    sequences,
    columns: hidden,
  });
  const dense = linear(scope, maskedLm.dense, gathered, {
    rows: sequences,
    inFeatures: hidden,
    outFeatures: width,
    activation: "gelu",
    y: plan.transient("transformed by the dense layer", [sequences.capacity, width]),
  });
  const x = plan.transient("transformed", [sequences.capacity, width]);
  const { norm } = maskedLm;
  layerNormForward(
    plan,
    { x: dense, weight: parameters.value(`${norm}.weight`), bias: parameters.value(`${norm}.bias`), y: x },
    { rows: sequences, columns: width, eps },
  );

  const bias = parameters.value(maskedLm.bias);
  const shards = parameters.valueShards(wordTable(`${prefix}embeddings`));
  return shards.map(({ tensor: weight, rowBegin, rows: tokens }) => {
    // A shard may begin where no binding can: its part of the bias is copied.
    const ownBias = plan.transient("vocabulary bias", [tokens]);
    plan.copy(viewOf(bias, `${bias.label} from ${rowBegin}`, rowBegin, [tokens]), ownBias);
    const logits = plan.result(`logits of tokens from ${rowBegin}`, [sequences.capacity, tokens]);
    linearForward(plan, { x, weight, bias: ownBias, y: logits }, {
      rows: sequences,
      inFeatures: width,
      outFeatures: tokens,
      label: "vocabulary",
    });
    return { logits, tokenBegin: rowBegin, tokens };
  });
}
