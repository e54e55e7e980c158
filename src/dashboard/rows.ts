/** What is told of a study and its trials. Names are those of the JSON. */
import { DEVICE_BUSY, DEVICE_BYTES, WORKER } from "../search/objective.ts";
import { overviewOf, type StudyOverview } from "../search/overview.ts";
import { studyTerms } from "../search/study_terms.ts";
import { constraintViolation, type FrozenTrial, isFinished, lastStep } from "../studies/frozen_trial.ts";
import type { JsonValue } from "../studies/python_text.ts";
import type { StudyRecord } from "../studies/storage.ts";

export interface TrialRow {
  number: number;
  state: FrozenTrial["state"];
  value: number | null;
  /** All of them, where the study has several objectives. */
  values?: readonly number[];
  params: FrozenTrial["params"];
  /** By step. Left out where they were not asked for. */
  intermediate_values?: Record<string, number>;
  datetime_start: string | null;
  datetime_complete: string | null;
  /** Those that are a number or a truth value, and those that say where the trial ran or why it failed. */
  user_attrs: Record<string, JsonValue>;
  /** Absent where the trial violates none of its constraints. */
  infeasible?: true;
}

/** Attributes whose text is told; other texts may be anything. */
const TOLD: readonly string[] = [WORKER, "host", "adapter", "fail_reason"];

export function rowOf(trial: FrozenTrial, { curves = true } = {}): TrialRow {
  const { number, state, value, values, params, datetimeStart, datetimeComplete } = trial;
  const isTold = ([key, attribute]: [string, JsonValue]) =>
    typeof attribute === "number" || typeof attribute === "boolean" ||
    typeof attribute === "string" && TOLD.includes(key);
  return {
    number,
    state,
    value,
    ...(values !== null && values.length > 1 ? { values } : {}),
    params,
    ...(curves ? { intermediate_values: Object.fromEntries(trial.intermediateValues) } : {}),
    datetime_start: datetimeStart?.toISOString() ?? null,
    datetime_complete: datetimeComplete?.toISOString() ?? null,
    user_attrs: Object.fromEntries(Object.entries(trial.userAttrs).filter(isTold)),
    ...(constraintViolation(trial) > 0 ? { infeasible: true as const } : {}),
  };
}

export interface RunningTrial {
  number: number;
  worker: string | null;
  host: string | null;
  adapter: string | null;
  datetime_start: string | null;
  /** The last report. */
  step: number | null;
  value: number | null;
  /** No sign of life for so long that the next process to look will declare it failed. */
  stale: boolean;
  /** Share of the trial's time in which the device had work, and what it takes of its memory; null where nobody says. */
  device_busy: number | null;
  device_bytes: number | null;
}

export function runningTrials(trials: readonly FrozenTrial[], stale: ReadonlySet<number>): RunningTrial[] {
  return trials.filter(({ state }) => state === "RUNNING").map((trial) => {
    const step = lastStep(trial);
    const { userAttrs } = trial;
    const text = (key: string) => typeof userAttrs[key] === "string" ? userAttrs[key] : null;
    const number = (key: string) => typeof userAttrs[key] === "number" ? userAttrs[key] : null;
    return {
      number: trial.number,
      worker: text(WORKER),
      host: text("host"),
      adapter: text("adapter"),
      datetime_start: trial.datetimeStart?.toISOString() ?? null,
      step,
      value: step === null ? null : trial.intermediateValues.get(step)!,
      stale: stale.has(trial.trialId),
      device_busy: number(DEVICE_BUSY),
      device_bytes: number(DEVICE_BYTES),
    };
  });
}

/** The place of a study: `storage_id` is that of its storage among those that are shown. */
export interface StudyPlace {
  study_name: string;
  storage_id: number;
  storage: string;
}

/** A study that cannot be read. */
export type BrokenStudy = StudyPlace & { error: string };

export type StudySummary = StudyPlace & Omit<StudyOverview, "study_name" | "by_hpo"> & {
  directions: readonly string[];
  /** What the intermediate values are, where that is known. */
  reported: string | null;
  /**
   * running: a trial runs whose process is not known to be dead; stale: trials run and all of their processes seem dead;
   * finished: as many trials as wanted are over; waiting: none has begun yet; stopped: whatever else.
   */
  status: "running" | "stale" | "finished" | "waiting" | "stopped";
  running: RunningTrial[];
  /** In the order in which trials first had them. */
  param_names: string[];
  datetime_start: string | null;
};

export function summaryOf(
  place: StudyPlace,
  record: StudyRecord,
  trials: readonly FrozenTrial[],
  stale: ReadonlySet<number>,
): StudySummary {
  const { by_hpo, study_name: _, ...overview } = overviewOf(record, trials);
  const terms = by_hpo ? studyTerms(record) : null;
  const running = runningTrials(trials, stale);
  const finished = trials.filter(({ state }) => isFinished(state)).length;
  const starts = trials.flatMap(({ datetimeStart }) => datetimeStart?.getTime() ?? []);
  const status = () => {
    if (running.some((trial) => !trial.stale)) return "running";
    if (running.length > 0) return "stale";
    if (overview.n_trials !== null && finished >= overview.n_trials) return "finished";
    return finished === 0 ? "waiting" : "stopped";
  };
  return {
    ...place,
    ...overview,
    directions: record.directions,
    reported: terms?.reported ?? null,
    status: status(),
    running,
    param_names: [...new Set(trials.flatMap(({ params }) => Object.keys(params)))],
    datetime_start: starts.length === 0 ? null : new Date(starts.reduce((a, b) => Math.min(a, b))).toISOString(),
  };
}
