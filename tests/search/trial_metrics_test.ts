import assert from "node:assert/strict";
import { createTrialMetrics } from "../../src/search/trial_metrics.ts";
import { pythonJson } from "../../src/studies/python_text.ts";

const entry = (epoch: number, f1: number, more: { eval_recall?: number; eval_auc?: number | null } = {}) => ({
  epoch,
  eval_loss: 1,
  eval_f1: f1,
  eval_precision: f1 / 2,
  eval_recall: 0.5,
  eval_accuracy: 0.5,
  eval_auc: 0.75,
  eval_macro_f1: f1 / 4,
  eval_macro_pr_auc: 0.5 as number | null,
  eval_ece: 0.125,
  ...more,
});

Deno.test("createTrialMetrics: what stands at each fold's best epoch, the earliest of equals", () => {
  const metrics = createTrialMetrics();
  assert.deepEqual(metrics.attributes(), {});
  metrics.evaluated(0, entry(1, 0.25));
  metrics.evaluated(0, entry(2, 0.5, { eval_recall: 1 }));
  metrics.evaluated(0, entry(3, 0.5, { eval_recall: 0 }));
  metrics.evaluated(1, entry(1, 1, { eval_recall: 0.5, eval_auc: null }));
  assert.deepEqual(metrics.attributes(), {
    precision: 0.375,
    recall: 0.75,
    auc: 0.75,
    macro_f1: 0.1875,
    macro_pr_auc: 0.5,
    ece: 0.125,
    epochs: 4,
    fold_f1: [0.5, 1],
    best_epochs: [2, 1],
  });
});

Deno.test("createTrialMetrics: a fold's F1 is the one that the trial is judged by", () => {
  const metrics = createTrialMetrics();
  metrics.evaluated(0, { ...entry(1, 0.75), eval_f1_cross_fitted: 0.5 });
  metrics.evaluated(0, { ...entry(2, 0.625), eval_f1_cross_fitted: 0.625 });
  assert.deepEqual(metrics.attributes().fold_f1, [0.5]);
});

Deno.test("createTrialMetrics: no attribute has more than 500 characters, however many folds there are", () => {
  const metrics = createTrialMetrics();
  for (let fold = 0; fold < 50; fold++) {
    metrics.evaluated(fold, entry(100 / 3, (1 / 3 + fold) / 51, { eval_auc: null }));
  }
  const attributes = metrics.attributes();
  assert.equal(attributes.auc, null);
  assert.deepEqual(Object.keys(attributes).filter((name) => name.startsWith("fold_f1")), [
    "fold_f1",
    "fold_f1:20",
    "fold_f1:40",
  ]);
  for (const [name, value] of Object.entries(attributes)) assert.ok(pythonJson(value).length <= 500, name);
});
