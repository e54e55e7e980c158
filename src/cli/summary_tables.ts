/** How good a run is, as tables on stdout. */
import { decisionTable, type Table, verdictTables } from "../report/run/verdict_tables.ts";
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
