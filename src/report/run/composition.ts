/** What the report of a run says, as Markdown: the one source of both documents. It has ids, and never a text of a post. */
import { basename } from "node:path";
import { getByPath, parseConfigText, settingsOf } from "../../config/config.ts";
import { isChosen } from "../../evaluation/decision.ts";
import { duration, epochsText, percent } from "../../formats/human.ts";
import type { PairLength } from "../../training/pair_lengths.ts";
import { bestEntry, type FoldResults, type RunResults } from "../../training/run_results.ts";
import { literal, plotText, table } from "../markdown.ts";
import type { Plot } from "../plot.ts";
import { type Judged, type Judgement, surprise, worstPairs, worstPosts } from "./judgement.ts";
import { decisionTable, figure, METRIC_TITLES, type Table, verdictTables } from "./verdict_tables.ts";

export interface RunReportParts {
  readonly results: RunResults;
  /** Null where no fold has been evaluated yet. */
  readonly judgement: Judgement | null;
  readonly plots: readonly Plot[];
  readonly now: Date;
}

export const runName = ({ config }: Pick<RunResults, "config">): string => basename(config.output_dir);

export function composeRunReport(parts: RunReportParts): string {
  const { results, judgement, plots, now } = parts;
  const plot = (name: string) => plots.filter((plot) => plot.name === name).map(plotText);
  return [
    `# Run ${literal(runName(results))}`,
    `Made on ${now.toISOString().slice(0, 16).replace("T", " ")} UTC.`,
    ...unfinished(results),
    overview(parts),
    ...(judgement === null ? ["No fold has been evaluated yet."] : verdict(judgement)),
    ...evaluatedSince(results),
    ...plot("f1"),
    ...(judgement === null ? [] : confusions(judgement)),
    ...plot("loss"),
    ...plot("learning_rate"),
    ...plot("epochs"),
    ...epochs(results),
    ...["roc", "precision_recall", "reliability"].flatMap(plot),
    ...(judgement === null ? [] : [calibrations(judgement)]),
    ...plot("scores"),
    ...(judgement === null ? [] : decisions(judgement)),
    ...truncation(results),
    ...plot("truncation"),
    ...lengths(results),
    ...(judgement === null ? [] : worst(judgement)),
    ...provenance(results),
  ].join("\n\n") + "\n";
}

/** Ids are the first column's. */
const tableText = ({ head, rows }: Table, quoted = true): string =>
  table(head, quoted ? rows.map(([id, ...cells]) => [literal(id), ...cells]) : rows);

/** What is missing of a run that is not over, or of which only some folds were asked for. */
function unfinished({ config, folds }: RunResults): string[] {
  const { n_splits: nSplits } = config.kfold;
  const underWay = folds.filter(({ finished }) => !finished);
  const absent = Array.from({ length: nSplits }, (_, fold) => fold)
    .filter((fold) => !folds.some((each) => each.fold === fold));
  if (underWay.length + absent.length === 0) return [];
  const parts = [
    ...underWay.map((each) =>
      `Fold ${each.fold} is at ${placeOf(each)}` +
      (each.predictions.length === 0 ? " and not evaluated yet." : "; its figures are those of its best epoch so far.")
    ),
    ...(absent.length === 0
      ? []
      : [`${absent.length === 1 ? `Fold ${absent[0]} has` : `Folds ${absent.join(", ")} have`} not begun.`]),
  ];
  return [`**Not all is trained yet.** ${parts.join(" ")}`];
}

function placeOf({ steps, epochs }: FoldResults): string {
  const epoch = steps.at(-1)?.epoch ?? epochs.at(-1)?.epoch ?? 0;
  return `epoch ${epochsText(epoch)}${steps.length === 0 ? "" : `, step ${steps.at(-1)!.step}`}`;
}

function overview({ results: { config, record, folds }, judgement }: RunReportParts): string {
  const skipped = folds.reduce((sum, { steps }) => sum + steps.filter(({ skipped }) => skipped).length, 0);
  const times = folds.flatMap(({ seconds }) => seconds ?? []);
  const figures = judgement === null ? [] : judged(judgement);
  return table(["", ""], [
    ...figures,
    ["model", literal(config.model.model_name ?? `${config.model.architecture!.model_type} from scratch`)],
    ["folds trained to their end", `${folds.filter(({ finished }) => finished).length} of ${config.kfold.n_splits}`],
    ["optimizer steps", `${folds.reduce((sum, { steps }) => sum + steps.length, 0)}`],
    ...(skipped > 0 ? [["steps that overflowed and updated nothing", `${skipped}`]] : []),
    ["time of training and evaluation", times.length === 0 ? "–" : duration(times.reduce((a, b) => a + b))],
    ["precision", record.precision],
    ["adapter", literal(record.adapter)],
  ]);
}

function judged({ summary, judged }: Judgement): string[][] {
  const { overall, intervals, mean, std, folds } = summary.cross_fitted ?? summary;
  const cross = summary.cross_fitted === null ? "" : ", cross-fitted";
  const positives = judged.filter(({ label }) => label === 1).length;
  return [
    [`F1 over all pairs${cross}`, `${figure(overall.f1)} (${rangeText(intervals.overall.f1)})`],
    ...(folds.length > 1 ? [[`mean F1 of folds${cross}`, `${figure(mean.f1)} ± ${figure(std.f1)}`]] : []),
    ["pairs judged", `${judged.length}, ${percent(positives / judged.length)} positive`],
    ["posts", `${new Set(judged.map(({ postId }) => postId)).size}`],
  ];
}

const rangeText = (interval: readonly [number, number] | null): string =>
  interval === null ? "–" : `${figure(interval[0])} to ${figure(interval[1])}`;

function verdict({ summary }: Judgement): string[] {
  const { cross_fitted: crossFitted } = summary;
  const flattering = verdictTables(summary, summary.folds.map(({ best_epoch }) => best_epoch));
  const sections = (tables: typeof flattering) => [tableText(tables.folds, false), tableText(tables.criteria)];
  const how = "Intervals are of the bootstrap over posts.";
  if (!summary.in_sample) return ["## Result", how, ...sections(flattering)];
  const part = crossFitted?.over === "folds" ? "fold" : "fifth of the posts";
  return [
    "## Result",
    ...(crossFitted === null ? [] : [
      `Cross-fitted: each ${part} decides by what was chosen on the others. ${how} The charts show these decisions.`,
      ...sections(verdictTables(crossFitted)),
    ]),
    "In sample: each fold decides by what was chosen on these very pairs, which flatters.",
    ...sections(flattering),
  ];
}

/** What `eval` was last asked with, and found. */
function evaluatedSince({ evaluation }: RunResults): string[] {
  if (evaluation === null) return [];
  const { settings, folds, overall, intervals, cross_fitted: crossFitted } = evaluation;
  const asked = Object.entries(settings).map(([key, value]) => literal(`${key}=${value}`));
  const figures = (f1: number, interval: readonly [number, number] | null) =>
    `F1 ${figure(f1)} (${rangeText(interval)})`;
  const over = folds.length === 1 ? `fold ${folds[0].fold}` : `${folds.length} folds`;
  return [
    `\`eval\` was last asked ${asked.length === 0 ? "for the same" : `with ${asked.join(", ")}`}, over ${over}: ` +
    figures(overall.f1, intervals.overall.f1) +
    (crossFitted === null
      ? "."
      : ` in sample, ${figures(crossFitted.overall.f1, crossFitted.intervals.overall.f1)} cross-fitted.`),
  ];
}

function confusions({ summary }: Judgement): string[] {
  const { overall, per_criterion: criteria } = summary.cross_fitted ?? summary;
  const { truePositives, falseNegatives, falsePositives, trueNegatives } = overall;
  return [
    "## Confusion matrix",
    table(["", "decided positive", "decided negative"], [
      ["is positive", `${truePositives}`, `${falseNegatives}`],
      ["is negative", `${falsePositives}`, `${trueNegatives}`],
    ]),
    table(
      ["criterion", "true positives", "false negatives", "false positives", "true negatives"],
      Object.entries(criteria).map(([id, each]) => [
        literal(id),
        ...[each.truePositives, each.falseNegatives, each.falsePositives, each.trueNegatives].map(String),
      ]),
    ),
  ];
}

/** F1 of every epoch and fold, the best of a fold bold. */
function epochs({ folds }: RunResults): string[] {
  const evaluated = folds.filter(({ epochs }) => epochs.length > 0);
  if (evaluated.length === 0) return [];
  const best = evaluated.map(bestEntry);
  const all = [...new Set(evaluated.flatMap(({ epochs }) => epochs.map(({ epoch }) => epoch)))].sort((a, b) => a - b);
  return [
    "F1 by epoch; the one whose model is kept is bold.",
    table(
      ["epoch", ...evaluated.map(({ fold }) => `fold ${fold}`)],
      all.map((epoch) => [
        epochsText(epoch),
        ...evaluated.map(({ epochs }, i) => {
          const entry = epochs.find((entry) => entry.epoch === epoch);
          if (entry === undefined) return "";
          return entry === best[i] ? `**${figure(entry.eval_f1)}**` : figure(entry.eval_f1);
        }),
      ]),
    ),
  ];
}

function calibrations({ uncalibrated, temperature: { flattering, crossFitted }, settings }: Judgement): string {
  const mark = (chosen: boolean) => (settings.calibration === "temperature") === chosen ? " (this run)" : "";
  const row = (name: string, { metrics, intervals }: Judged) => [
    name,
    figure(metrics.ece),
    rangeText(intervals.ece),
    figure(metrics.brier),
  ];
  return table(["probabilities", METRIC_TITLES.ece, "95 %", METRIC_TITLES.brier], [
    row(`as scored${mark(false)}`, uncalibrated),
    row(`with the temperature that suits these very pairs${mark(true)}`, flattering),
    row(`with a temperature that was chosen on other pairs`, crossFitted),
  ]);
}

const MODES = {
  fixed: "fixed",
  global: "one that suits all pairs of a fold",
  per_class: "one for each criterion",
} as const;

function decisions({ summary, thresholds, settings }: Judgement): string[] {
  const rows = (["fixed", "global", "per_class"] as const).map((mode) => {
    const { flattering, crossFitted } = thresholds[mode];
    const isFixed = mode === "fixed";
    return [
      `${MODES[mode]}${isFixed ? ` at ${settings.positiveThreshold}` : ""}${
        mode === settings.thresholdMode ? " (this run)" : ""
      }`,
      isFixed ? "–" : figure(flattering.metrics.f1),
      figure(crossFitted.metrics.f1),
      rangeText(crossFitted.intervals.f1),
    ];
  });
  return [
    "## Decisions",
    "What other thresholds would come to, on the pairs that they are chosen on, which flatters, and on others.",
    table(["threshold", "F1 where it was chosen", "F1 on other pairs", "95 %"], rows),
    ...(isChosen(settings) ? ["What this run has chosen:", decisionText(summary.folds)] : []),
  ];
}

function decisionText(folds: Judgement["summary"]["folds"]): string {
  const { head, rows } = decisionTable(folds);
  return table(head.map((name, column) => column < 3 ? name : literal(name)), rows);
}

function truncation({ record, config }: RunResults): string[] {
  const { truncation: lost } = record;
  if (lost === null) return [];
  const number = (value: number) => value.toLocaleString("en-US");
  const limit = config.data.chunk_max_len === null ? `${config.data.max_length} tokens` : "chunks";
  const evidence = lost.evidence === undefined || lost.evidence.sentences === 0 ? [] : [[
    "evidence sentences cut off, whole or in part",
    `${number(lost.evidence.cut)} of ${number(lost.evidence.sentences)}`,
  ]];
  return [
    "## Truncation",
    table([`read in ${limit}`, ""], [
      ["pairs whose post does not fit", `${number(lost.truncated)} of ${number(lost.pairs)}`],
      ["tokens of their posts that are cut off", number(lost.tokens)],
      ...evidence,
    ]),
  ];
}

/** The pairs that are read the longest, and those that lose the most. */
function lengths({ lengths }: RunResults): string[] {
  if (lengths === null) return [];
  const rows = (pairs: readonly PairLength[]) =>
    table(
      ["post", "criterion", "tokens read", "chunks", "tokens cut off"],
      pairs.map(({ postId, criterionId, tokens, chunks, lost }) => [
        literal(postId),
        literal(criterionId),
        ...[tokens, chunks, lost].map(String),
      ]),
    );
  const cut = lengths.filter(({ lost }) => lost > 0).sort((a, b) => b.lost - a.lost);
  return [
    ...(cut.length === 0 ? [] : ["Those that lose the most:", rows(cut.slice(0, MOST_LONG))]),
    "## Slowest pairs",
    "Those of the most tokens, which is what the time of a pair goes with.",
    rows(lengths.toSorted((a, b) => b.tokens - a.tokens).slice(0, MOST_LONG)),
  ];
}

const MOST_LONG = 10;
const MOST_PAIRS = 20;
const MOST_POSTS = 15;

function worst({ judged }: Judgement): string[] {
  const pairs = worstPairs(judged, MOST_PAIRS);
  const posts = worstPosts(judged, MOST_POSTS);
  return [
    "## Worst pairs",
    "Those whose label the model took to be the least probable.",
    table(
      ["post", "criterion", "fold", "label", "probability of 1", "−log p"],
      pairs.map((pair) => [
        literal(pair.postId),
        literal(pair.criterionId),
        `${pair.fold}`,
        `${pair.label}`,
        figure(pair.probability),
        surprise(pair).toFixed(2),
      ]),
    ),
    ...(posts.length === 0 ? [] : [
      "## Worst posts",
      "Those with the most wrong decisions.",
      table(
        ["post", "pairs", "wrong", "mean −log p"],
        posts.map((
          { postId, pairs, wrong, surprise },
        ) => [literal(postId), `${pairs}`, `${wrong}`, surprise.toFixed(2)]),
      ),
    ]),
  ];
}

/** Shown whatever they are; others where they are not the default. */
const SETTINGS =
  /^(seed|kfold\.n_splits|data\.max_length|model\.(classifier_head|loss_type|.*dropout)|training\.(batch_size|gradient_accumulation_steps|learning_rate|num_epochs|max_steps|early_stopping_patience|scheduler_type|warmup_ratio|weight_decay)|evaluation\.(calibration|threshold_mode))$/;

/** Letters of a digest that tell files apart. */
const DIGEST_LETTERS = 12;

function provenance({ config, record }: RunResults): string[] {
  const usual = new Map(
    settingsOf(parseConfigText("{}", "defaults")).map(([key, value]) => [key, JSON.stringify(value)]),
  );
  const settings = Object.entries(record.settings).filter(([key, value]) =>
    SETTINGS.test(key) || JSON.stringify(value) !== usual.get(key)
  );
  const files = Object.entries(record.content).map(([key, digest]) => {
    const place = key.includes(".") && !key.endsWith(".csv") ? getByPath(config, key) : null;
    return [literal(key), typeof place === "string" ? literal(place) : "", literal(digest.slice(0, DIGEST_LETTERS))];
  });
  return [
    "## How it was made",
    table(["", ""], [
      ["run", literal(record.id)],
      ["program", literal(record.program)],
      ["adapter", literal(record.adapter)],
      ["precision", `${record.precision} (${config.training.optimization.precision} was asked for)`],
      ...(record.token_budget === null
        ? []
        : [["tokens of a micro-batch that the device had room for", `${record.token_budget}`]]),
    ]),
    "What it was made from; a digest is the beginning of the content's SHA-256.",
    table(["file", "place", "digest"], files),
    "The settings that matter most, and all that are not the default.",
    table(
      ["key", "value", "default"],
      settings.map(([key, value]) => {
        const own = JSON.stringify(value);
        return [literal(key), literal(own), own === usual.get(key) ? "" : literal(usual.get(key) ?? "–")];
      }),
    ),
  ];
}
