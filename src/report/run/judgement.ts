/** What a run's predictions say, in numbers: how good they are, and how good other ways to decide would be. */
import { decide, type DecisionSettings, fitDecision } from "../../evaluation/decision.ts";
import { bootstrapIntervals, type Intervals } from "../../evaluation/intervals.ts";
import { measure, type Metrics } from "../../evaluation/metrics.ts";
import { decisionSettings } from "../../training/decisions.ts";
import { judgedFolds, type RunResults } from "../../training/run_results.ts";
import { crossFittedPredictions, type RunPrediction, summarise, type Summary } from "../../training/summary.ts";

/** Pairs, decided in one way. */
export interface Judged {
  readonly pairs: readonly RunPrediction[];
  readonly metrics: Metrics;
  readonly intervals: Intervals;
}

/** A way to decide, chosen on the very pairs that it judges, and on the pairs of other folds or posts. */
export interface Way {
  readonly flattering: Judged;
  readonly crossFitted: Judged;
}

export interface Judgement {
  readonly settings: DecisionSettings;
  readonly summary: Summary;
  /** What the run decides, by nothing that was chosen on the pairs it judges. */
  readonly judged: readonly RunPrediction[];
  /** Scores as they are. */
  readonly uncalibrated: Judged;
  readonly temperature: Way;
  /** Under the run's calibration. */
  readonly thresholds: Readonly<Record<DecisionSettings["thresholdMode"], Way>>;
}

/** Null where no fold has been evaluated yet. */
export function judgementOf(results: RunResults): Judgement | null {
  const { facts, predictions } = judgedFolds(results);
  if (predictions.length === 0) return null;
  const settings = decisionSettings(results.config);
  const { seed } = results.config;
  const judge = (pairs: readonly RunPrediction[]): Judged => {
    return { pairs, metrics: measure(pairs), intervals: bootstrapIntervals(pairs, { seed }) };
  };
  const way = (chosen: Partial<DecisionSettings>): Way => {
    const all = { ...settings, ...chosen };
    return {
      flattering: judge(decidedByFold(predictions, all)),
      crossFitted: judge(crossFittedPredictions(decidedByFold(predictions, all), all)),
    };
  };
  const raw = { ...settings, calibration: "none", thresholdMode: "fixed" } as const;
  return {
    settings,
    summary: summarise(facts, predictions, { settings, seed }),
    judged: crossFittedPredictions(predictions, settings),
    uncalibrated: judge(decidedByFold(predictions, raw)),
    temperature: way({ calibration: "temperature", thresholdMode: "fixed" }),
    thresholds: {
      fixed: way({ thresholdMode: "fixed" }),
      global: way({ thresholdMode: "global" }),
      per_class: way({ thresholdMode: "per_class" }),
    },
  };
}

/** Each fold decided by what is chosen on itself. */
const decidedByFold = (predictions: readonly RunPrediction[], settings: DecisionSettings): RunPrediction[] =>
  [...Map.groupBy(predictions, ({ fold }) => fold).values()].flatMap((own) => {
    const decision = fitDecision(own, settings);
    return own.map((pair) => decide(pair, decision));
  });

/** How improbable the model took the label to be: −log p. */
export const surprise = ({ label, probability }: RunPrediction): number =>
  -Math.log(Math.max(label === 1 ? probability : 1 - probability, Number.MIN_VALUE));

/** The pairs whose labels the model took to be the least probable, the least first. */
export const worstPairs = (pairs: readonly RunPrediction[], most: number): RunPrediction[] =>
  pairs.toSorted((a, b) => surprise(b) - surprise(a)).slice(0, most);

export interface WorstPost {
  postId: string;
  pairs: number;
  wrong: number;
  surprise: number;
}

/** The posts with the most wrong decisions, of equals those with the less probable labels on the mean. */
export function worstPosts(pairs: readonly RunPrediction[], most: number): WorstPost[] {
  return [...Map.groupBy(pairs, ({ postId }) => postId)].map(([postId, own]) => ({
    postId,
    pairs: own.length,
    wrong: own.filter(({ label, prediction }) => label !== prediction).length,
    surprise: own.reduce((sum, pair) => sum + surprise(pair), 0) / own.length,
  })).filter(({ wrong }) => wrong > 0).sort((a, b) => b.wrong - a.wrong || b.surprise - a.surprise).slice(0, most);
}
