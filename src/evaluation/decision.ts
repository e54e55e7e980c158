/** From scores to decisions: what is fixed, what is chosen on labelled pairs, and how good that is on other pairs. */
import { fitTemperature, probabilityOf } from "./calibration.ts";
import type { JudgedPair } from "./metrics.ts";
import { bestThreshold } from "./thresholds.ts";

/** How a decision is chosen: `evaluation` and `model.positive_threshold`. */
export interface DecisionSettings {
  /** Whether a temperature is chosen. */
  calibration: "none" | "temperature";
  /** Whether thresholds are, one for all criteria or one for each. */
  thresholdMode: "fixed" | "global" | "per_class";
  /** The threshold of `fixed`; where the search of `per_class` starts. */
  positiveThreshold: number;
  /** Where the search of `global` starts. */
  globalInit: number;
}

/** How a score becomes a probability, and a probability a prediction. */
export interface Decision {
  /** Log-odds are divided by it. */
  temperature: number;
  /** A pair is positive from this probability on. */
  threshold: number;
  /** Those of single criteria, by id, which go before `threshold`; null: there are none. */
  criterion_thresholds: Record<string, number> | null;
}

/** A pair and the model's score of it: the log-odds that it is positive. */
export interface ScoredPair {
  /** Which criterion. */
  criterionId: string;
  /** 0 or 1. */
  label: number;
  /** Log-odds of the positive class. */
  score: number;
}

/** Whether something is chosen on labelled pairs. */
export const isChosen = ({ calibration, thresholdMode }: DecisionSettings): boolean =>
  calibration !== "none" || thresholdMode !== "fixed";

/**
 * Chooses what the settings leave open on these pairs: the temperature by likelihood, then thresholds by F1. A criterion
 * without a positive pair keeps the threshold of all pairs together, which is also where its own search starts.
 */
export function fitDecision(pairs: readonly ScoredPair[], settings: DecisionSettings): Decision {
  const { calibration, thresholdMode, positiveThreshold, globalInit } = settings;
  const temperature = calibration === "temperature" ? fitTemperature(pairs) : 1;
  if (thresholdMode === "fixed") return { temperature, threshold: positiveThreshold, criterion_thresholds: null };
  const probable = pairs.map(({ criterionId, label, score }) => {
    return { criterionId, label, probability: probabilityOf(score, temperature) };
  });
  const threshold = bestThreshold(probable, thresholdMode === "global" ? globalInit : positiveThreshold);
  if (thresholdMode === "global") return { temperature, threshold, criterion_thresholds: null };
  const criteria = [...Map.groupBy(probable, ({ criterionId }) => criterionId)]
    .filter(([, own]) => own.some(({ label }) => label === 1))
    .map(([id, own]) => [id, bestThreshold(own, threshold)] as const)
    .sort(([a], [b]) => a < b ? -1 : 1);
  return { temperature, threshold, criterion_thresholds: Object.fromEntries(criteria) };
}

/** The probability of a score, and 1 where it reaches the threshold of its criterion. */
export function decide<Pair extends Pick<ScoredPair, "criterionId" | "score">>(
  pair: Pair,
  { temperature, threshold, criterion_thresholds: own }: Decision,
): Pair & { probability: number; prediction: number } {
  const probability = probabilityOf(pair.score, temperature);
  const needed = own !== null && Object.hasOwn(own, pair.criterionId) ? own[pair.criterionId] : threshold;
  return { ...pair, probability, prediction: probability >= needed ? 1 : 0 };
}

/** Pairs that are decided by what was chosen on other groups. */
export interface CrossFitted<Pair, Group> {
  /** The pairs in their order, each decided by what was chosen on the pairs of the other groups. */
  judged: (Pair & JudgedPair)[];
  /** What each group is decided by. */
  decisions: Map<Group, Decision>;
}

/** Decides about each group of pairs by what is chosen on the other groups: nothing is judged that it was chosen on. */
export function crossFit<Pair extends ScoredPair, Group>(
  pairs: readonly Pair[],
  groupOf: (pair: Pair) => Group,
  settings: DecisionSettings,
): CrossFitted<Pair, Group> {
  const decisions = new Map(
    [...new Set(pairs.map(groupOf))].map((group) =>
      [group, fitDecision(pairs.filter((pair) => groupOf(pair) !== group), settings)] as const
    ),
  );
  return { judged: pairs.map((pair) => decide(pair, decisions.get(groupOf(pair))!)), decisions };
}

/** Parts of the posts of one fold. */
const PARTS = 5;

/** Deals posts over five parts, in the order in which they come, for cross-fitting within a fold. */
export function partOfPost(pairs: readonly { postId: string }[]): (pair: { postId: string }) => number {
  const parts = new Map([...new Set(pairs.map(({ postId }) => postId))].map((postId, i) => [postId, i % PARTS]));
  return ({ postId }) => parts.get(postId)!;
}
