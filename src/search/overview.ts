/** What there is to say about the studies of a storage. */
import { bestOf, type FrozenTrial, isFinished, type TrialState } from "../studies/frozen_trial.ts";
import type { Storage, StudyRecord } from "../studies/storage.ts";
import { DEVICE_SECONDS, FIXED_SECONDS, OUT_OF_MEMORY } from "./objective.ts";
import { TRIALS_ATTRIBUTE } from "./study_setup.ts";

export interface StudyOverview {
  study_name: string;
  direction: string;
  /** Trials that the study is to have; null where no `hpo` has run it. */
  n_trials: number | null;
  states: Record<TrialState, number>;
  best: { number: number; value: number; params: FrozenTrial["params"] } | null;
  /** Share of the finished trials that the pruner stopped; those without memory do not count. */
  pruned_share: number | null;
  /** Share of the finished trials that the device had no memory for. */
  out_of_memory_rate: number | null;
  /** Share of the time since the first trial's start, pauses included, in which the device had work for some trial. */
  busy_share: number | null;
  /** Share of a complete trial's time that went into anything but training and evaluation. */
  fixed_share: number | null;
  /** Mean time of the last finished trials. */
  seconds_per_trial: number | null;
  eta_seconds: number | null;
}

/** Trials whose mean time stands for those to come. */
const RECENT = 30;

export async function studyOverviews(storage: Storage, now = new Date()): Promise<StudyOverview[]> {
  const overviews: StudyOverview[] = [];
  for (const record of await storage.listStudies()) {
    overviews.push(overviewOf(record, await storage.trials(record.studyId), now));
  }
  return overviews;
}

export function overviewOf(record: StudyRecord, trials: readonly FrozenTrial[], now: Date): StudyOverview {
  const states = { RUNNING: 0, COMPLETE: 0, PRUNED: 0, FAIL: 0, WAITING: 0 };
  for (const { state } of trials) states[state]++;
  const finished = trials.filter(({ state }) => isFinished(state));
  const outOfMemory = finished.filter(({ userAttrs }) => userAttrs[OUT_OF_MEMORY] === true).length;
  const share = (count: number) => finished.length === 0 ? null : count / finished.length;
  const best = record.directions.length === 1 ? bestOf(trials, record.directions[0]) : null;
  const goal = record.userAttrs[TRIALS_ATTRIBUTE];
  const nTrials = typeof goal === "number" ? goal : null;
  const secondsPerTrial = mean(
    finished.filter(({ datetimeStart, datetimeComplete }) => datetimeStart && datetimeComplete).slice(-RECENT)
      .map((trial) => seconds(trial)),
  );
  const left = nTrials === null ? null : Math.max(nTrials - finished.length, 0);
  return {
    study_name: record.studyName,
    direction: record.directions.join(", "),
    n_trials: nTrials,
    states,
    best: best && { number: best.number, value: best.value!, params: best.params },
    pruned_share: share(states.PRUNED - outOfMemory),
    out_of_memory_rate: share(outOfMemory),
    busy_share: busyShare(trials, now),
    fixed_share: mean(trials.flatMap((trial) => {
      const fixed = trial.userAttrs[FIXED_SECONDS];
      return trial.state === "COMPLETE" && typeof fixed === "number" ? [fixed / seconds(trial)] : [];
    })),
    seconds_per_trial: secondsPerTrial,
    eta_seconds: left === 0 ? 0 : left === null || secondsPerTrial === null
      ? null
      // As many trials at a time as run now.
      : left * secondsPerTrial / Math.max(states.RUNNING, 1),
  };
}

const seconds = ({ datetimeStart, datetimeComplete }: FrozenTrial): number =>
  (datetimeComplete!.getTime() - datetimeStart!.getTime()) / 1000;

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * The share of the time from the first trial's start to the last one's end that trials cover, times the share of their
 * time in which the device had work. Trials that do not say (running ones, and Optuna's) count as if it always had.
 */
function busyShare(trials: readonly FrozenTrial[], now: Date): number | null {
  const spans = trials.filter(({ datetimeStart }) => datetimeStart !== null).map((trial) => {
    const begin = trial.datetimeStart!.getTime();
    const end = (trial.datetimeComplete ?? now).getTime();
    const worked = trial.userAttrs[DEVICE_SECONDS];
    return { begin, end, worked: typeof worked === "number" ? Math.min(worked * 1000, end - begin) : end - begin };
  }).sort((a, b) => a.begin - b.begin);
  if (spans.length === 0) return null;
  let covered = 0;
  let reach = spans[0].begin;
  for (const { begin, end } of spans) {
    covered += Math.max(0, end - Math.max(begin, reach));
    reach = Math.max(reach, end);
  }
  if (reach === spans[0].begin) return null;
  const length = spans.reduce((sum, { begin, end }) => sum + end - begin, 0);
  const worked = spans.reduce((sum, span) => sum + span.worked, 0);
  return covered / (reach - spans[0].begin) * worked / length;
}
