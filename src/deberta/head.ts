/**
 * Classification heads: pool the last hidden states, drop out, classify. `pooler_linear` is
 * `DebertaV2ForSequenceClassification`'s: the first token through a dense layer with GELU before the classifier.
 */
import type { Tensor } from "../gpu/tensor.ts";
import { dropoutBackward, dropoutForward } from "../nn/dropout.ts";
import { geluBackward } from "../nn/gelu.ts";
import { argmaxShape, poolBackward, poolForward, type PoolKind } from "../nn/pooling.ts";
import type { ClassifierHead } from "./config.ts";
import { dropoutSite, linear, linearBackward, type Scope, type TrainingScope } from "./scope.ts";

const POOLING: Record<ClassifierHead, PoolKind> = {
  pooler_linear: "first",
  linear: "first",
  mean_pooling: "mean",
  max_pooling: "max",
};

export interface HeadKept {
  argmax?: Tensor;
  dense?: { x: Tensor; preActivation: Tensor };
  features: Tensor;
}

/** Logits [sequences, labels] of the last hidden states [tokens, hidden]; beyond those, all is f32. */
export function headForward(scope: Scope, hiddenStates: Tensor): { logits: Tensor; kept: HeadKept } {
  const { plan, config, batch: { sequences, offsets }, dropout } = scope;
  const { hiddenSize: hidden, classifierHead: head, numHiddenLayers: layers } = config;
  const labels = config.labels.length;
  const shape = [sequences.capacity, hidden];
  const sizes = { rows: sequences, columns: hidden };
  const pooled = plan.transient("pooled", shape);
  const argmax = POOLING[head] === "max"
    ? plan.transient("arg max", argmaxShape(sequences.capacity, hidden), "u32")
    : undefined;
  poolForward(plan, { x: hiddenStates, offsets, pooled, argmax }, { kind: POOLING[head], sequences, columns: hidden });

  let features = pooled;
  let dense: HeadKept["dense"];
  if (head === "pooler_linear") {
    let x = pooled;
    if (dropout) {
      x = plan.transient("dropped first token", shape);
      dropoutForward(plan, { x: pooled, dropout: dropout.pooler, y: x }, {
        ...sizes,
        site: dropoutSite.pooler(layers),
      });
    }
    dense = { x, preActivation: plan.transient("pooler pre-activation", shape) };
    features = linear(scope, "pooler.dense", x, {
      rows: sequences,
      inFeatures: hidden,
      outFeatures: hidden,
      activation: "gelu",
      preActivation: dropout ? dense.preActivation : undefined,
      y: plan.transient("features", shape),
    });
  }
  let dropped = features;
  if (dropout) {
    dropped = plan.transient("dropped features", shape);
    const site = dropoutSite.classifier(layers);
    dropoutForward(plan, { x: features, dropout: dropout.classifier, y: dropped }, { ...sizes, site });
  }
  const logits = linear(scope, "classifier", dropped, {
    rows: sequences,
    inFeatures: hidden,
    outFeatures: labels,
    y: plan.transient("logits", [sequences.capacity, labels]),
  });
  return { logits, kept: { argmax, dense, features: dropped } };
}

/** Adds to the head's gradients; returns the gradient of the hidden states, or null when the encoder is frozen. */
export function headBackward(
  scope: TrainingScope,
  dLogits: Tensor,
  kept: HeadKept,
  { frozenEncoder }: { frozenEncoder: boolean },
): Tensor | null {
  const { plan, config, batch: { sequences, tokens, offsets, sequenceOf }, dropout } = scope;
  const { hiddenSize: hidden, classifierHead: head, numHiddenLayers: layers } = config;
  const labels = config.labels.length;
  const shape = [sequences.capacity, hidden];
  const sizes = { rows: sequences, columns: hidden };
  const undrop = (dy: Tensor, uniform: Tensor, site: number) => {
    const dx = plan.transient("d before dropout", shape);
    dropoutBackward(plan, { dy, dropout: uniform, dx }, { ...sizes, site });
    return dx;
  };

  const dFeatures = plan.transient("d features", shape);
  linearBackward(scope, "classifier", { x: kept.features, dy: dLogits, dx: dFeatures }, {
    rows: sequences,
    inFeatures: hidden,
    outFeatures: labels,
  });
  let dPooled = undrop(dFeatures, dropout.classifier, dropoutSite.classifier(layers));
  if (kept.dense) {
    const dPreActivation = plan.transient("d pooler pre-activation", shape);
    geluBackward(plan, { preActivation: kept.dense.preActivation, dy: dPooled, dx: dPreActivation }, sizes);
    const dx = plan.transient("d pooler input", shape);
    linearBackward(scope, "pooler.dense", { x: kept.dense.x, dy: dPreActivation, dx }, {
      rows: sequences,
      inFeatures: hidden,
      outFeatures: hidden,
    });
    dPooled = undrop(dx, dropout.pooler, dropoutSite.pooler(layers));
  }
  if (frozenEncoder) return null;
  const dx = plan.activation("d hidden states", [tokens.capacity, hidden]);
  poolBackward(plan, { dPooled, offsets, sequenceOf, argmax: kept.argmax, dx }, {
    kind: POOLING[head],
    tokens,
    columns: hidden,
  });
  return dx;
}
