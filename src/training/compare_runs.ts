/** Runs of the same data side by side, from what their folders hold. */
import { parseConfigText, settingsOf } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { comparePredictions, type Comparison, holm, type MetricDifference } from "../evaluation/comparison.ts";
import { bootstrapIntervals, type Intervals } from "../evaluation/intervals.ts";
import { measure, METRIC_NAMES, type MetricName, type Metrics } from "../evaluation/metrics.ts";
import { decisionSettings } from "./decisions.ts";
import { GIVEN_PAIRS } from "./run_record.ts";
import { judgedFolds, readRunResults, type RunResults } from "./run_results.ts";
import { crossFittedPredictions, type RunPrediction } from "./summary.ts";

/** Over the pairs that are compared, by decisions that were not chosen on them. */
export interface ComparedRun {
  /** Its folder, as it was named. */
  run: string;
  /** See `RunRecord`. */
  id: string;
  /** Of its decisions. */
  metrics: Metrics;
  /** By bootstrap over posts. */
  intervals: Intervals;
}

/** Two of the runs. P-values of `p_holm` are Holm's, over all pairs of runs; of two runs they are as they were. */
export type ComparedPair = Omit<Comparison, "metrics"> & {
  first: string;
  second: string;
  mcnemar_p_holm: number;
  metrics: Record<MetricName, MetricDifference & { p_holm: number | null }>;
};

/** Runs on the same data and folds. */
export interface RunComparison {
  /** Trained to their end in every run. */
  folds: number[];
  /** Each of them. */
  runs: ComparedRun[];
  /** Every run with every later one. */
  comparisons: ComparedPair[];
  /** Settings, files and conditions that are not the same in all; values in the order of the runs. */
  differences: { key: string; values: unknown[] }[];
}

/**
 * Compares two or more runs on the folds that all of them have trained to their end. Data error where they are not runs of
 * the same pairs and folds.
 */
export async function compareRuns(folders: readonly string[]): Promise<RunComparison> {
  const results: RunResults[] = [];
  for (const folder of folders) results.push(await readRunResults(folder));
  checkSameData(folders, results);
  const folds = finishedFolds(results[0]).filter((fold) => results.every((run) => finishedFolds(run).includes(fold)));
  if (folds.length === 0) {
    throw new EntailError(
      "data",
      `${folders.join(", ")}: no fold is trained to its end in all of them; train on first`,
    );
  }
  const { seed } = results[0].config;
  const predictions = results.map((run) => predictionsOf(run, folds));
  const comparisons: (Comparison & { first: string; second: string })[] = [];
  for (let i = 0; i < folders.length; i++) {
    for (let j = i + 1; j < folders.length; j++) {
      const comparison = comparePredictions(predictions[i], predictions[j], { seed });
      comparisons.push({ first: folders[i], second: folders[j], ...comparison });
    }
  }
  return {
    folds,
    runs: folders.map((run, i) => ({
      run,
      id: results[i].record.id,
      metrics: measure(predictions[i]),
      intervals: bootstrapIntervals(predictions[i], { seed }),
    })),
    comparisons: corrected(comparisons),
    differences: differencesOf(results),
  };
}

/** What the pairs of a run come from, and how they are divided. */
const DATA = ["data.groundtruth_csv", "data.criteria_json", GIVEN_PAIRS, "folds.csv"] as const;

function checkSameData(folders: readonly string[], results: readonly RunResults[]): void {
  const [first, ...others] = results.map(({ record }) => record.content);
  others.forEach((other, i) => {
    const differing = DATA.find((key) => first[key] !== other[key]);
    if (differing === undefined) return;
    throw new EntailError(
      "data",
      `${folders[i + 1]}: ${differing} has other content than in ${
        folders[0]
      }; compare runs of the same data and folds`,
    );
  });
}

const finishedFolds = ({ folds }: RunResults): number[] =>
  folds.filter(({ finished, predictions }) => finished && predictions.length > 0).map(({ fold }) => fold);

function predictionsOf(run: RunResults, folds: readonly number[]): readonly RunPrediction[] {
  const compared = judgedFolds(run).predictions.filter(({ fold }) => folds.includes(fold));
  return crossFittedPredictions(compared, decisionSettings(run.config));
}

function corrected(comparisons: readonly (Comparison & { first: string; second: string })[]): ComparedPair[] {
  const mcnemar = holm(comparisons.map(({ mcnemar_p_value }) => mcnemar_p_value));
  const byMetric = new Map(
    METRIC_NAMES.map((name) => [name, holm(comparisons.map(({ metrics }) => metrics[name].p_value))]),
  );
  return comparisons.map((comparison, i) => ({
    ...comparison,
    mcnemar_p_holm: mcnemar[i]!,
    metrics: Object.fromEntries(
      METRIC_NAMES.map((name) => [name, { ...comparison.metrics[name], p_holm: byMetric.get(name)![i] }]),
    ) as ComparedPair["metrics"],
  }));
}

/** A setting that a record lacks had its default then. Initial weights differ by content, and are shown by name. */
function differencesOf(results: readonly RunResults[]): RunComparison["differences"] {
  const usual: Record<string, unknown> = Object.fromEntries(settingsOf(parseConfigText("{}", "defaults")));
  const described = results.map(({ record }): Record<string, unknown> => {
    const { settings, content, precision, adapter, program } = record;
    return { ...settings, ...content, [WEIGHTS]: content[WEIGHTS] ?? null, precision, adapter, program };
  });
  return [...new Set(described.flatMap((own) => Object.keys(own)))]
    .map((key) => ({ key, values: described.map((own) => key in own ? own[key] : usual[key] ?? null) }))
    .filter(({ values }) => new Set(values.map((value) => JSON.stringify(value))).size > 1)
    .map(({ key, values }) => {
      const named = (digest: unknown, i: number) => digest && `${results[i].config.model.model_name} ${digest}`;
      return { key, values: key === WEIGHTS ? values.map(named) : values };
    });
}

const WEIGHTS = "model.model_name";
