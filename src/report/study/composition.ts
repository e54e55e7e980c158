/** What a study report says, as Markdown: the one source of both documents. */
import { duration, paramText, percent } from "../../formats/human.ts";
import type { StudyOverview } from "../../search/overview.ts";
import type { StudyTerms } from "../../search/study_terms.ts";
import type { FrozenTrial } from "../../studies/frozen_trial.ts";
import { literal, plotText, table } from "../markdown.ts";
import type { Plot } from "../plot.ts";

export interface ReportParts {
  readonly overview: StudyOverview;
  /** Null where `hpo` has not made the study. */
  readonly terms: StudyTerms | null;
  readonly trials: readonly FrozenTrial[];
  /** The best COMPLETE trials, the best first. */
  readonly ranked: readonly FrozenTrial[];
  /** By parameter, the largest first. */
  readonly importances: readonly (readonly [name: string, share: number])[];
  readonly plots: readonly Plot[];
  /** What a value is called. */
  readonly valueName: string;
  readonly now: Date;
}

const TOP = 10;

export function valueText(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return `${value}`;
  return value === 0 || (size >= 1e-3 && size < 1e5) ? value.toFixed(4) : value.toExponential(4);
}

export function composeReport(parts: ReportParts): string {
  const { overview, trials, plots, now } = parts;
  const plot = (name: string) => plots.filter((plot) => plot.name === name).map(plotText);
  return [
    `# Study ${literal(overview.study_name)}`,
    `Made on ${now.toISOString().slice(0, 16).replace("T", " ")} UTC.`,
    summary(parts),
    ...(overview.by_hpo ? ["## Success criteria", criteria(parts)] : []),
    "## Best configurations",
    best(parts),
    ...plot("history"),
    ...importances(parts, plot("importances")),
    ...plot("intermediate"),
    ...plot("parallel"),
    ...["slices", "contour", "rank", "edf", "timeline"].flatMap(plot),
    ...failures(trials),
  ].join("\n\n") + "\n";
}

function summary({ overview, terms, trials, valueName }: ReportParts): string {
  const { states, best, n_trials: goal } = overview;
  const finished = states.COMPLETE + states.PRUNED + states.FAIL;
  const unfinished = goal !== null && finished < goal;
  const starts = trials.flatMap(({ datetimeStart }) => datetimeStart?.getTime() ?? []);
  const begun = starts.length === 0 ? null : new Date(starts.reduce((a, b) => Math.min(a, b)));
  return table(["", ""], [
    ["objective", terms?.objective ?? valueName],
    ["direction", overview.direction],
    ["trials", `${finished} finished${goal === null ? "" : ` of ${goal}`}`],
    ["complete, pruned, failed", `${states.COMPLETE}, ${states.PRUNED}, ${states.FAIL}`],
    ["running, waiting", `${states.RUNNING}, ${states.WAITING}`],
    [`best ${valueName}`, best === null ? "–" : `${valueText(best.value)} (trial ${best.number})`],
    ["first trial begun", begun === null ? "–" : `${begun.toISOString().slice(0, 16).replace("T", " ")} UTC`],
    ["mean time of the last trials", overview.seconds_per_trial === null ? "–" : duration(overview.seconds_per_trial)],
    ["time of complete trials that is neither training nor evaluation", percent(overview.fixed_share)],
    ...(unfinished ? [["time left", overview.eta_seconds === null ? "–" : duration(overview.eta_seconds)]] : []),
  ]);
}

/** The original's criteria, for what the study is: its objective, its number of trials, its pruner. */
function criteria({ overview, terms, valueName }: ReportParts): string {
  const { best, states, n_trials: goal, busy_share: busy, out_of_memory_rate: outOfMemory, pruned_share: pruned } =
    overview;
  const finished = states.COMPLETE + states.PRUNED + states.FAIL;
  const verdict = (met: boolean | null) => met === null ? "–" : met ? "✓ met" : "✗ not met";
  const judged = (share: number | null, met: (share: number) => boolean) => [
    percent(share),
    verdict(share === null ? null : met(share)),
  ];
  return table(["criterion", "asked for", "measured", ""], [
    [
      terms?.objective ?? `best ${valueName}`,
      "one is found",
      best === null ? "–" : valueText(best.value),
      verdict(best !== null),
    ],
    ["trials finished", `${goal}`, `${finished}`, finished >= goal! ? verdict(true) : "not yet"],
    ["device busy", "> 90 %", ...judged(busy, (share) => share > 0.9)],
    ["trials out of memory", "< 5 %", ...judged(outOfMemory, (share) => share < 0.05)],
    terms?.hasPruner === false
      ? ["trials pruned", "none, there is no pruner", percent(pruned), "–"]
      : ["trials pruned", "> 60 %", ...judged(pruned, (share) => share > 0.6)],
  ]);
}

function best({ ranked, valueName }: ReportParts): string {
  const top = ranked.slice(0, TOP);
  if (top.length === 0) return "No trial is complete yet.";
  const names = [...new Set(top.flatMap(({ params }) => Object.keys(params)))];
  return table(
    ["rank", "trial", valueName, ...names.map(literal)],
    top.map(({ number, value, params }, index) => [
      `${index + 1}`,
      `${number}`,
      valueText(value!),
      ...names.map((name) => Object.hasOwn(params, name) ? cellText(params[name]) : "–"),
    ]),
  );
}

const cellText = (value: FrozenTrial["params"][string]): string =>
  typeof value === "string" ? literal(value) : paramText(value);

function importances({ importances }: ReportParts, plot: string[]): string[] {
  if (importances.length === 0) return [];
  return [
    ...plot,
    "Computed by PED-ANOVA (Watanabe et al. 2023) over the complete trials, as Optuna does.",
    table(["parameter", "importance"], importances.map(([name, share]) => [literal(name), share.toFixed(4)])),
  ];
}

/** The reasons for which trials have failed, the most frequent first. */
function failures(trials: readonly FrozenTrial[]): string[] {
  const byReason = new Map<string, number[]>();
  for (const { state, number, userAttrs } of trials) {
    if (state !== "FAIL") continue;
    const { fail_reason: reason } = userAttrs;
    const text = reason === undefined
      ? "no reason was stored"
      : typeof reason === "string"
      ? reason
      : JSON.stringify(reason);
    byReason.set(text, [...byReason.get(text) ?? [], number]);
  }
  if (byReason.size === 0) return [];
  const reasons = [...byReason].sort((a, b) => b[1].length - a[1].length);
  const rows = reasons.slice(0, MOST_REASONS).map(([reason, numbers]) => [
    literal(reason),
    `${numbers.length}`,
    numbers.slice(0, MOST_NUMBERS).join(", ") + (numbers.length > MOST_NUMBERS ? ", …" : ""),
  ]);
  return ["## Failed trials", table(["reason", "trials", "numbers"], rows)];
}

const MOST_REASONS = 20;
const MOST_NUMBERS = 10;
