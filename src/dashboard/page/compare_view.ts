/// <reference lib="dom" />
/** Runs side by side. */
import { METRIC_NAMES } from "../../evaluation/metrics.ts";
import { METRIC_TITLES } from "../../report/run/verdict_tables.ts";
import { getComparison, type RunComparison, runLink } from "./api.ts";
import { type Child, figure, h, table } from "./dom.ts";

export function compareView(place: HTMLElement, runs: readonly string[]): () => void {
  const result = h("div", {}, h("p", { class: "faint" }, "comparing …"));
  place.append(h("h1", {}, "Runs side by side"), result);
  getComparison(runs).then(
    (comparison) => result.replaceChildren(...sideBySide(comparison)),
    (error) => result.replaceChildren(h("p", { class: "error" }, (error as Error).message)),
  );
  return () => {};
}

function sideBySide({ folds, runs, comparisons, differences }: RunComparison): Node[] {
  const [{ pairs, posts }] = comparisons;
  const metrics = METRIC_NAMES.map((name): Child[] => [
    METRIC_TITLES[name],
    ...runs.map(({ metrics, intervals }) => {
      const interval = intervals[name];
      return figure(metrics[name]) + (interval === null ? "" : ` (${interval.map(figure).join(" to ")})`);
    }),
  ]);
  const tests = comparisons.map((each): Child[] => [
    `${each.first} and ${each.second}`,
    figure(each.metrics.f1.difference),
    each.metrics.f1.interval === null ? "–" : each.metrics.f1.interval.map(figure).join(" to "),
    figure(each.metrics.f1.p_holm),
    `${each.only_first_right}, ${each.only_second_right}`,
    figure(each.mcnemar_p_holm),
  ]);
  return [
    h("p", { class: "faint" }, `Over ${pairs} pairs of ${posts} posts, folds ${folds.join(", ")}.`),
    table(["metric (95 %)", ...runs.map(({ run }) => h("a", { href: runLink(run) }, run))], metrics),
    h("h2", {}, "Differences"),
    table(["runs", "F1 difference", "95 %", "p", "only first, second right", "McNemar p"], tests),
    h("h2", {}, "What was set differently"),
    differences.length === 0 ? h("p", {}, "Nothing: set alike, made from the same files.") : table(
      ["key", ...runs.map(({ run }) => run)],
      differences.map(({ key, values }) => [key, ...values.map(short)]),
    ),
  ];
}

function short(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
