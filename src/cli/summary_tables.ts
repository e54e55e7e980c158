/** How good a run is, as tables on stdout. */
import type { Comparison } from "../evaluation/comparison.ts";
import { METRIC_NAMES } from "../evaluation/metrics.ts";
import { decisionTable, figure, METRIC_TITLES, type Table, verdictTables } from "../report/run/verdict_tables.ts";
import type { Summary } from "../training/summary.ts";
import { printLine, printTable } from "./terminal.ts";

const print = ({ head, rows }: Table): void => printTable(head, rows);

/** Metrics per fold, their mean, those over all pairs, and per criterion; then what does not flatter. */
export function printSummary(summary: Summary): void {
  const { in_sample, cross_fitted, folds } = summary;
  if (in_sample) printLine("in sample: each fold decides by what was chosen on these very pairs");
  Object.values(verdictTables(summary, folds.map(({ best_epoch }) => best_epoch))).forEach(print);
  if (!in_sample) return;
  print(decisionTable(folds));
  if (cross_fitted === null) return;
  const part = cross_fitted.over === "folds" ? "fold" : "fifth of the posts";
  printLine(`cross-fitted: each ${part} decides by what was chosen on the others`);
  Object.values(verdictTables(cross_fitted)).forEach(print);
}

/** Which of two runs is better, metric by metric, and who is right where only one is. */
export function printComparison(comparison: Comparison & { first: string; second: string }): void {
  const { first, second, metrics, level, mcnemar_p_value: pValue, ...counts } = comparison;
  printTable(
    ["metric", first, second, "difference", `${level * 100}% from`, "to", "p"],
    METRIC_NAMES.map((name) => {
      const { first, second, difference, interval, p_value } = metrics[name];
      return [METRIC_TITLES[name], ...[first, second, difference, ...(interval ?? [null, null]), p_value].map(figure)];
    }),
  );
  printTable(
    ["pairs", "both right", `only ${first}`, `only ${second}`, "both wrong", "McNemar p"],
    [[
      ...[counts.pairs, counts.both_right, counts.only_first_right, counts.only_second_right, counts.both_wrong]
        .map((count) => `${count}`),
      figure(pValue),
    ]],
  );
}
