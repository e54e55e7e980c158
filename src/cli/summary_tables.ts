/** How good a run is, as tables. */
import type { Comparison } from "../evaluation/comparison.ts";
import type { Decision } from "../evaluation/decision.ts";
import type { Intervals } from "../evaluation/intervals.ts";
import { METRIC_NAMES, type MetricName, type Metrics } from "../evaluation/metrics.ts";
import { epochsText } from "../formats/human.ts";
import type { Summary, Verdict } from "../training/summary.ts";
import { printLine, printTable } from "./terminal.ts";

const TITLES: Record<MetricName, string> = {
  f1: "F1",
  precision: "precision",
  recall: "recall",
  accuracy: "accuracy",
  auc: "AUC",
  pr_auc: "PR-AUC",
  ece: "ECE",
  brier: "Brier",
};

const cell = (value: number | null): string => value === null || Number.isNaN(value) ? "–" : value.toFixed(4);
const cells = (metrics: Pick<Metrics, MetricName>): string[] => METRIC_NAMES.map((name) => cell(metrics[name]));
const bounds = ({ f1 }: Intervals): string[] => [cell(f1?.[0] ?? null), cell(f1?.[1] ?? null)];

/** Metrics per fold, their mean, those over all pairs, and per criterion; then what does not flatter. */
export function printSummary(summary: Summary): void {
  const { in_sample, cross_fitted } = summary;
  if (in_sample) printLine("in sample: each fold decides by what was chosen on these very pairs");
  printVerdict(summary, summary.folds.map(({ best_epoch }) => epochsText(best_epoch)));
  if (!in_sample) return;
  printDecisions(summary.folds);
  if (cross_fitted === null) return;
  const part = cross_fitted.over === "folds" ? "fold" : "fifth of the posts";
  printLine(`cross-fitted: each ${part} decides by what was chosen on the others`);
  printVerdict(cross_fitted);
}

function printVerdict<Fold extends { fold: number; metrics: Metrics }>(
  { folds, mean, std, overall, per_criterion, intervals }: Verdict<Fold>,
  bestEpochs?: readonly string[],
): void {
  const percentile = (share: number) => `F1 ${Math.round(share * 1000) / 10}%`;
  const titles = METRIC_NAMES.map((name) => TITLES[name]);
  const columns = [...titles, percentile((1 - intervals.level) / 2), percentile((1 + intervals.level) / 2)];
  const epoch = (text = "") => bestEpochs === undefined ? [] : [text];
  printTable(["fold", ...epoch("best epoch"), ...columns], [
    ...folds.map(({ fold, metrics }, i) => [
      `${fold}`,
      ...epoch(bestEpochs?.[i]),
      ...cells(metrics),
      ...bounds(intervals.folds[fold]),
    ]),
    ["mean", ...epoch(), ...METRIC_NAMES.map((name) => cell(mean[name])), "", ""],
    ["std", ...epoch(), ...METRIC_NAMES.map((name) => cell(std[name])), "", ""],
    ["all pairs", ...epoch(), ...cells(overall), ...bounds(intervals.overall)],
  ]);
  printTable(
    ["criterion", "pairs", ...columns],
    Object.entries(per_criterion).map(([id, metrics]) => [
      id,
      `${metrics.count}`,
      ...cells(metrics),
      ...bounds(intervals.per_criterion[id]),
    ]),
  );
}

function printDecisions(folds: readonly { fold: number; decision: Decision }[]): void {
  const criteria = [...new Set(folds.flatMap(({ decision }) => Object.keys(decision.criterion_thresholds ?? {})))]
    .sort();
  printTable(
    ["fold", "temperature", "threshold", ...criteria],
    folds.map(({ fold, decision: { temperature, threshold, criterion_thresholds: own } }) => [
      `${fold}`,
      ...[temperature, threshold, ...criteria.map((id) => own?.[id] ?? null)].map(cell),
    ]),
  );
}

/** Which of two runs is better, metric by metric, and who is right where only one is. */
export function printComparison(comparison: Comparison & { first: string; second: string }): void {
  const { first, second, metrics, level, mcnemar_p_value: pValue, ...counts } = comparison;
  printTable(
    ["metric", first, second, "difference", `${level * 100}% from`, "to", "p"],
    METRIC_NAMES.map((name) => {
      const { first, second, difference, interval, p_value } = metrics[name];
      return [TITLES[name], ...[first, second, difference, ...(interval ?? [null, null]), p_value].map(cell)];
    }),
  );
  printTable(
    ["pairs", "both right", `only ${first}`, `only ${second}`, "both wrong", "McNemar p"],
    [[
      ...[counts.pairs, counts.both_right, counts.only_first_right, counts.only_second_right, counts.both_wrong]
        .map((count) => `${count}`),
      cell(pValue),
    ]],
  );
}
