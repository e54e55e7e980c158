/** `compare`: runs side by side. */
import { basename } from "node:path";
import pc from "picocolors";
import { EntailError } from "../errors.ts";
import { METRIC_NAMES, type MetricName } from "../evaluation/metrics.ts";
import { figure, METRIC_TITLES } from "../report/run/verdict_tables.ts";
import { compareRuns, type RunComparison } from "../training/compare_runs.ts";
import { resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { say } from "./say.ts";
import { printLine, printTable } from "./terminal.ts";

export async function compare(runs: string[], options: CommonOptions & { json?: boolean }): Promise<void> {
  if (!resolveConfig([], options)) return;
  if (runs.length < 2) throw new EntailError("usage", "compare: name the folders of two or more runs");
  const twice = runs.find((run, i) => runs.indexOf(run) !== i);
  if (twice !== undefined) throw new EntailError("usage", `compare: ${twice} is named twice`);
  const comparison = await compareRuns(runs);
  if (options.json) return printLine(JSON.stringify(comparison));
  const { folds, comparisons: [{ pairs, posts }] } = comparison;
  if (!options.quiet) say(`over ${pairs} pairs of ${posts} posts, folds ${folds.join(", ")}`);
  const names = shortNames(runs);
  printSideBySide(comparison, names);
  printDifferences(comparison, names);
  printSettings(comparison, names);
}

/** The last parts of paths where those tell the runs apart. */
function shortNames(runs: readonly string[]): ReadonlyMap<string, string> {
  const last = runs.map((run) => basename(run));
  const isUnique = new Set(last).size === runs.length && !last.some((name) => /^\.*$/.test(name));
  return new Map(runs.map((run, i) => [run, isUnique ? last[i] : run]));
}

const onTerminal = (paint: (text: string) => string) => (text: string) => Deno.stdout.isTerminal() ? paint(text) : text;
const good = onTerminal(pc.green);
const faint = onTerminal(pc.dim);

/** The lower the better. */
const ERRORS: readonly MetricName[] = ["ece", "brier"];

function printSideBySide({ runs }: RunComparison, names: ReadonlyMap<string, string>): void {
  const rows = METRIC_NAMES.map((name) => {
    const values = runs.map(({ metrics }) => metrics[name]).filter((value) => value !== null);
    const best = ERRORS.includes(name) ? Math.min(...values) : Math.max(...values);
    return [
      METRIC_TITLES[name],
      ...runs.map(({ metrics, intervals }) => {
        const interval = intervals[name];
        const text = figure(metrics[name]) + (interval === null ? "" : ` (${interval.map(figure).join(" to ")})`);
        return metrics[name] === best ? good(text) : text;
      }),
    ];
  });
  printTable(["metric (95%)", ...runs.map(({ run }) => names.get(run)!)], rows);
}

/** The smallest share of chance that is taken for one. */
const SIGNIFICANT = 0.05;

/** What the pairs of runs differ in, and whether that is chance; with more than two runs, by p-values that Holm corrected. */
function printDifferences({ comparisons }: RunComparison, names: ReadonlyMap<string, string>): void {
  const p = (value: number | null) => value !== null && value < SIGNIFICANT ? good(figure(value)) : figure(value);
  const isCorrected = comparisons.length > 1;
  const title = isCorrected ? "p (Holm)" : "p";
  printTable(
    [
      ...["first", "second", "F1 difference", "95% from", "to", title, "AUC difference", title],
      ...["only first right", "only second right", isCorrected ? "McNemar p (Holm)" : "McNemar p"],
    ],
    comparisons.map((each) => {
      const { f1, auc } = each.metrics;
      return [
        names.get(each.first)!,
        names.get(each.second)!,
        ...[f1.difference, ...(f1.interval ?? [null, null])].map(figure),
        p(f1.p_holm),
        figure(auc.difference),
        p(auc.p_holm),
        `${each.only_first_right}`,
        `${each.only_second_right}`,
        p(each.mcnemar_p_holm),
      ];
    }),
  );
}

/** Longer values are shown by their beginnings. */
const LONGEST = 60;

function printSettings({ runs, differences }: RunComparison, names: ReadonlyMap<string, string>): void {
  if (differences.length === 0) return printLine("set alike, made from the same files");
  const text = (value: unknown) => {
    const whole = (typeof value === "string" ? value : JSON.stringify(value)).replace(
      /\b([0-9a-f]{12})[0-9a-f]{52}\b/,
      "$1",
    );
    return whole.length > LONGEST ? `${whole.slice(0, LONGEST)}…` : whole;
  };
  printTable(
    ["what differs", ...runs.map(({ run }) => names.get(run)!)],
    differences.map(({ key, values }) => {
      const [first, ...others] = values.map(text);
      return [key, first, ...others.map((other) => other === first ? faint(other) : other)];
    }),
  );
}
