/** What a trial has reached beside its value, as its user attributes. */
import type { JsonValue } from "../studies/python_text.ts";
import type { EpochEntry } from "../training/metrics_log.ts";
import { meanStd } from "../evaluation/metrics.ts";

/** Folds to a list: with more, readers of 500 characters at most would see a part of it. */
const FOLDS_AT_ONCE = 20;

/** The epochs of a trial's folds, as far as it has come. */
export interface TrialMetrics {
  evaluated(fold: number, entry: EpochEntry): void;
  /** None before the first evaluation. */
  attributes(): Record<string, JsonValue>;
}

/**
 * `precision`, `recall`, `auc`, `macro_f1`, `macro_pr_auc`, `ece` at the best epoch, the means over the folds; by fold, in
 * order, `fold_f1` and `best_epochs`; `epochs`, those that all folds were trained for.
 */
export function createTrialMetrics(): TrialMetrics {
  const best = new Map<number, EpochEntry>();
  let epochs = 0;
  return {
    evaluated(fold, entry) {
      epochs++;
      const before = best.get(fold);
      if (before === undefined || entry.eval_f1 > before.eval_f1) best.set(fold, entry);
    },
    attributes() {
      const folds = [...best.values()];
      if (folds.length === 0) return {};
      const mean = (of: (entry: EpochEntry) => number | null) => meanOf(folds.map(of));
      return {
        precision: mean(({ eval_precision }) => eval_precision),
        recall: mean(({ eval_recall }) => eval_recall),
        auc: mean(({ eval_auc }) => eval_auc),
        macro_f1: mean(({ eval_macro_f1 }) => eval_macro_f1),
        macro_pr_auc: mean(({ eval_macro_pr_auc }) => eval_macro_pr_auc),
        ece: mean(({ eval_ece }) => eval_ece),
        epochs,
        ...listed("fold_f1", folds.map(({ eval_f1, eval_f1_cross_fitted }) => eval_f1_cross_fitted ?? eval_f1)),
        ...listed("best_epochs", folds.map(({ epoch }) => epoch)),
      };
    },
  };
}

/** Null where no fold has one: an AUC without two classes. */
function meanOf(values: (number | null)[]): number | null {
  const { mean } = meanStd(values);
  return Number.isNaN(mean) ? null : mean;
}

/** `name`, and for further folds `name:20`, `name:40`, … */
function listed(name: string, values: number[]): Record<string, JsonValue> {
  const attributes: Record<string, JsonValue> = {};
  for (let first = 0; first < values.length; first += FOLDS_AT_ONCE) {
    attributes[first === 0 ? name : `${name}:${first}`] = values.slice(first, first + FOLDS_AT_ONCE);
  }
  return attributes;
}
