/** What there is to say about the studies of a storage. */
import { bestOf, type FrozenTrial, isFinished, type TrialState } from "../studies/frozen_trial.ts";
import { STALE_REASON } from "../studies/heartbeat.ts";
import type { JsonValue } from "../studies/python_text.ts";
import type { Storage, StudyRecord } from "../studies/storage.ts";
import { DEVICE_SECONDS, FIXED_SECONDS, OUT_OF_MEMORY, WORKER } from "./objective.ts";
import { CONFIG_ATTRIBUTE } from "./stored_config.ts";
import { TRIALS_ATTRIBUTE } from "./study_setup.ts";

/** How far a study is; what `status --json` prints. */
export interface StudyOverview {
  /** The study. */
  study_name: string;
  /** minimize or maximize. */
  direction: string;
  /** What a trial's value is: F1 where `hpo` has made the study, otherwise what its maker calls it, or "value". */
  objective: string;
  /** Whether `hpo` has made the study: what the program promises of its own studies is no promise of others. */
  by_hpo: boolean;
  /** Trials that the study is to have; null where no `hpo` has run it. */
  n_trials: number | null;
  /** Trials by state. */
  states: Record<TrialState, number>;
  /** The best trial; null before one is complete. */
  best: { number: number; value: number; params: FrozenTrial["params"] } | null;
  /** Share of the finished trials that the pruner stopped; those without memory do not count. */
  pruned_share: number | null;
  /** Share of the finished trials that the device had no memory for. */
  out_of_memory_rate: number | null;
  /** Share of the time in which processes ran trials, pauses between their sittings excluded, in which the device had work. */
  busy_share: number | null;
  /** Share of a complete trial's time that went into anything but training and evaluation. */
  fixed_share: number | null;
  /** Mean time of the last finished trials. */
  seconds_per_trial: number | null;
  /** Until the last trial at the pace so far; null where nothing tells it. */
  eta_seconds: number | null;
}

/** Trials whose mean time stands for those to come. */
const RECENT = 30;

/** All studies of a storage, the oldest first. */
export async function studyOverviews(storage: Storage): Promise<StudyOverview[]> {
  const overviews: StudyOverview[] = [];
  for (const record of await storage.listStudies()) {
    overviews.push(overviewOf(record, await storage.trials(record.studyId)));
  }
  return overviews;
}

export function overviewOf(record: StudyRecord, trials: readonly FrozenTrial[]): StudyOverview {
  const states = { RUNNING: 0, COMPLETE: 0, PRUNED: 0, FAIL: 0, WAITING: 0 };
  for (const { state } of trials) states[state]++;
  const finished = trials.filter(({ state }) => isFinished(state));
  const outOfMemory = finished.filter(({ userAttrs }) => userAttrs[OUT_OF_MEMORY] === true).length;
  const share = (count: number) => finished.length === 0 ? null : count / finished.length;
  const best = record.directions.length === 1 ? bestOf(trials, record.directions[0]) : null;
  const goal = record.userAttrs[TRIALS_ATTRIBUTE];
  const byHpo = goal !== undefined && (trials.length === 0 || CONFIG_ATTRIBUTE in trials[0].userAttrs);
  const nTrials = typeof goal === "number" ? goal : null;
  const secondsPerTrial = mean(
    finished.filter(hasTimes).slice(-RECENT).map((trial) => seconds(trial)),
  );
  const left = nTrials === null ? null : Math.max(nTrials - finished.length, 0);
  return {
    study_name: record.studyName,
    direction: record.directions.join(", "),
    objective: byHpo ? "F1" : ownName(record) ?? "value",
    by_hpo: byHpo,
    n_trials: nTrials,
    states,
    best: best && { number: best.number, value: best.value!, params: best.params },
    pruned_share: share(states.PRUNED - outOfMemory),
    out_of_memory_rate: share(outOfMemory),
    busy_share: busyShare(trials),
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

/** What `Study.set_metric_names` of Optuna has stored, if it is a word or two. */
function ownName({ systemAttrs }: StudyRecord): string | undefined {
  const names = systemAttrs["study:metric_names"];
  return Array.isArray(names) && /^[\w .-]{1,40}$/.test(names[0]) ? names[0] : undefined;
}

/** Whether a trial's times say how long it has run; that of a killed process ends when somebody notices. */
const hasTimes = ({ datetimeStart, datetimeComplete, userAttrs: { fail_reason } }: FrozenTrial): boolean =>
  datetimeStart !== null && datetimeComplete !== null && !`${fail_reason}`.startsWith(STALE_REASON);

const seconds = ({ datetimeStart, datetimeComplete }: FrozenTrial): number =>
  (datetimeComplete!.getTime() - datetimeStart!.getTime()) / 1000;

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * The share of the sittings' time, each from its first trial's start to its last one's end, in which the device had work.
 * Trials that do not say are left out: those that run or were killed, and those of other programs. One that does not say
 * which sitting it belongs to is one of its own.
 */
function busyShare(trials: readonly FrozenTrial[]): number | null {
  const sittings = new Map<JsonValue, { begin: number; end: number; worked: number }>();
  for (const { number, userAttrs, datetimeStart, datetimeComplete } of trials) {
    const worked = userAttrs[DEVICE_SECONDS];
    if (typeof worked !== "number" || datetimeStart === null || datetimeComplete === null) continue;
    const sitting = userAttrs[WORKER] ?? number;
    const [begin, end] = [datetimeStart.getTime() / 1000, datetimeComplete.getTime() / 1000];
    const before = sittings.get(sitting) ?? { begin, end, worked: 0 };
    sittings.set(sitting, {
      begin: Math.min(before.begin, begin),
      end: Math.max(before.end, end),
      worked: before.worked + Math.min(worked, end - begin),
    });
  }
  const total = (of: (sitting: { begin: number; end: number; worked: number }) => number) =>
    [...sittings.values()].reduce((sum, sitting) => sum + of(sitting), 0);
  const length = total(({ begin, end }) => end - begin);
  return length > 0 ? total(({ worked }) => worked) / length : null;
}
