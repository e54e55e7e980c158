import assert from "node:assert/strict";
import { composeConfig } from "../../src/config/config.ts";
import { PLAIN_LOSS } from "../../src/nn/loss.ts";
import {
  LOSS_KEYS,
  LOSSES,
  lossesWith,
  lossWeights,
  TAUGHT_LOSSES,
  teacherTargets,
} from "../../src/training/losses.ts";
import { assertClose } from "../support/close.ts";

/** 3 positives and 17 negatives. */
const LABELS = Array.from({ length: 20 }, (_, i) => +(i < 3));

const weightsOf = (...overrides: string[]) => lossWeights(composeConfig(overrides).model, LABELS);

Deno.test("lossWeights: of each loss, from its keys and the training labels", () => {
  const cases: [overrides: string[], weights: Partial<typeof PLAIN_LOSS>][] = [
    [["model.loss_type=ce"], {}],
    [["model.loss_type=bce", "model.label_smoothing=0.1"], { smoothing: 0.1 }],
    [["model.loss_type=weighted_bce"], { positiveWeight: 17 / 3 }],
    [["model.loss_type=focal"], { gamma: 2, positiveWeight: 17 / 20, negativeWeight: 3 / 20 }],
    [["model.loss_type=focal", "model.focal_alpha=0.7", "model.focal_gamma=1"], {
      gamma: 1,
      positiveWeight: 0.7,
      negativeWeight: 1 - 0.7,
    }],
    [["model.loss_type=focal", "model.focal_alpha=none", "model.label_smoothing=0.1"], { gamma: 2 }],
    [["model.loss_type=bce+rank"], { positiveWeight: 3, pairWeight: 0.5, rankMargin: 0.2 }],
    [
      [
        "model.loss_type=bce+rank",
        "model.pos_weight_scale=4",
        "model.rank_margin=0.3",
        "model.rank_weight=0.7",
        "model.label_smoothing=0.05",
      ],
      { positiveWeight: 4, pairWeight: 0.7, rankMargin: 0.3, smoothing: 0.05 },
    ],
    [["model.loss_type=distillation"], { softWeight: 0.5 }],
    [["model.loss_type=distillation", "model.distill_alpha=0.9", "model.distill_temperature=3"], {
      softWeight: 0.9,
      temperature: 3,
    }],
    [["model.loss_type=mse", "model.distill_alpha=0.9"], {}],
    [["model.loss_type=margin_mse"], { pairWeight: 1 }],
  ];
  for (const [overrides, weights] of cases) {
    assert.deepEqual(weightsOf(...overrides), { ...PLAIN_LOSS, ...weights }, `${overrides}`);
  }
});

Deno.test("lossWeights: cb_focal weighs classes by their effective numbers, to a sum of 2", () => {
  for (const beta of [0.5, 0.995, 0.9995]) {
    const { gamma, positiveWeight, negativeWeight } = weightsOf(
      "model.loss_type=cb_focal",
      `model.cb_beta=${beta}`,
      "model.focal_gamma=1.5",
      "model.focal_alpha=0.7",
    );
    assert.equal(gamma, 1.5);
    const alpha = (count: number) => (1 - beta) / (1 - beta ** count);
    const scale = 2 / (alpha(3) + alpha(17));
    const expected = [alpha(3) * scale, alpha(17) * scale];
    assertClose([positiveWeight, negativeWeight], expected, { atol: 0, rtol: 1e-12 }, `${beta}`);
    assertClose([positiveWeight + negativeWeight], [2], { atol: 0, rtol: 1e-15 });
  }
  const { model } = composeConfig(["model.loss_type=cb_focal"]);
  const onlyNegatives = lossWeights(model, [0, 0]);
  assert.ok(onlyNegatives.positiveWeight > onlyNegatives.negativeWeight && onlyNegatives.negativeWeight > 0);
});

Deno.test("teacherTargets: probabilities at the temperature, or the scores themselves", () => {
  const scores = Float64Array.of(-Infinity, -3, 0, 1.5, Infinity);
  const of = (...overrides: string[]) => teacherTargets(composeConfig(overrides).model, scores);
  const expected = Float32Array.of(0, 1 / (1 + Math.E), 0.5, 1 / (1 + Math.exp(-0.5)), 1);
  assert.deepEqual(of("model.loss_type=distillation", "model.distill_temperature=3"), expected);
  assert.deepEqual(of("model.loss_type=mse"), Float32Array.from(scores));
  assert.deepEqual(TAUGHT_LOSSES, ["distillation", "mse", "margin_mse"]);
});

Deno.test("LOSSES: every key that a loss reads is one that only some have", () => {
  assert.deepEqual(lossesWith("focal_gamma"), ["focal", "cb_focal"]);
  assert.deepEqual(lossesWith("label_smoothing"), ["ce", "bce", "weighted_bce", "bce+rank"]);
  const model = composeConfig([]).model;
  for (const { keys, weights } of Object.values(LOSSES)) {
    const read = new Set<PropertyKey>();
    weights(
      new Proxy(model, {
        get(target, key) {
          read.add(key);
          return target[key as keyof typeof target];
        },
      }),
      { positives: 1, negatives: 2 },
    );
    assert.deepEqual([...read].toSorted(), [...keys].toSorted());
  }
  assert.equal(new Set(LOSS_KEYS).size, LOSS_KEYS.length);
});
