/** Studies kept in this process only. */

import { EntailError } from "../errors.ts";
import { checkCompatible, type Distribution, toExternal } from "./distributions.ts";
import { type Direction, type FrozenTrial, isFinished } from "./frozen_trial.ts";
import type { JsonValue } from "./python_text.ts";
import type { Storage, StudyRecord, TrialChanges, TrialGoal, TrialTemplate } from "./storage.ts";

interface MemoryStudy {
  record: StudyRecord;
  /** By number; replaced, never changed in place. */
  trials: FrozenTrial[];
  domains: Map<string, Distribution>;
}

const NEW_TRIAL = {
  value: null,
  values: null,
  params: {},
  distributions: {},
  internalParams: {},
  intermediateValues: new Map<number, number>(),
  userAttrs: {},
  systemAttrs: {},
};

/** The `Storage` without a file. */
export class MemoryStorage implements Storage {
  readonly #studies = new Map<number, MemoryStudy>();
  readonly #placeOfTrial = new Map<number, { study: MemoryStudy; number: number }>();
  readonly #heartbeats = new Map<number, number>();
  #nextStudyId = 1;
  #nextTrialId = 1;

  // deno-lint-ignore require-await
  async createStudy(studyName: string, directions: readonly Direction[]): Promise<StudyRecord | null> {
    for (const { record } of this.#studies.values()) if (record.studyName === studyName) return null;
    const studyId = this.#nextStudyId++;
    const record = { studyId, studyName, directions: [...directions], userAttrs: {}, systemAttrs: {} };
    this.#studies.set(studyId, { record, trials: [], domains: new Map() });
    return record;
  }

  async findStudy(studyName: string): Promise<StudyRecord | null> {
    return (await this.listStudies()).find((record) => record.studyName === studyName) ?? null;
  }

  // deno-lint-ignore require-await
  async listStudies(): Promise<StudyRecord[]> {
    return [...this.#studies.values()].map((study) => study.record);
  }

  // deno-lint-ignore require-await
  async deleteStudy(studyId: number): Promise<void> {
    for (const trial of this.#study(studyId).trials) this.#placeOfTrial.delete(trial.trialId);
    this.#studies.delete(studyId);
  }

  // deno-lint-ignore require-await
  async setStudyAttr(studyId: number, kind: "user" | "system", key: string, value: JsonValue): Promise<void> {
    const study = this.#study(studyId);
    const attrs = kind === "user" ? "userAttrs" : "systemAttrs";
    study.record = { ...study.record, [attrs]: { ...study.record[attrs], [key]: structuredClone(value) } };
  }

  // deno-lint-ignore require-await
  async createTrial(studyId: number, template?: TrialTemplate): Promise<FrozenTrial> {
    return this.#add(this.#study(studyId), template ?? { state: "RUNNING", datetimeStart: new Date() });
  }

  #add(study: MemoryStudy, template: TrialTemplate): FrozenTrial {
    const { state, values = null, datetimeStart = null, datetimeComplete = null } = template;
    const trial = changed(study, {
      ...NEW_TRIAL,
      trialId: this.#nextTrialId++,
      number: study.trials.length,
      state,
      value: values?.[0] ?? null,
      values,
      datetimeStart,
      datetimeComplete,
    }, template);
    study.trials.push(trial);
    this.#placeOfTrial.set(trial.trialId, { study, number: trial.number });
    return trial;
  }

  // deno-lint-ignore require-await
  async startTrial(studyId: number, goal?: TrialGoal): Promise<FrozenTrial | null> {
    const study = this.#study(studyId);
    if (goal !== undefined) {
      const limit = Date.now() - goal.graceSeconds * 1000;
      const taken = study.trials.filter(({ state, trialId }) =>
        isFinished(state) || (state === "RUNNING" && (this.#heartbeats.get(trialId) ?? -Infinity) >= limit)
      );
      if (taken.length >= goal.trials) return null;
    }
    const waiting = study.trials.find((trial) => trial.state === "WAITING");
    const started = waiting === undefined
      ? this.#add(study, { state: "RUNNING", datetimeStart: new Date() })
      : study.trials[waiting.number] = { ...waiting, state: "RUNNING", datetimeStart: new Date() };
    if (goal !== undefined) this.#heartbeats.set(started.trialId, Date.now());
    return started;
  }

  // deno-lint-ignore require-await
  async updateTrial(trialId: number, changes: TrialChanges): Promise<void> {
    const { study, trial } = this.#trial(trialId);
    if (trial.state !== "RUNNING") {
      throw new EntailError("data", `trial ${trial.number} is ${trial.state} and cannot be changed any more`);
    }
    study.trials[trial.number] = changed(study, trial, changes);
  }

  // deno-lint-ignore require-await
  async finishTrial(
    trialId: number,
    state: "COMPLETE" | "PRUNED" | "FAIL",
    values: readonly number[] | null,
    changes: TrialChanges = {},
  ): Promise<boolean> {
    if (state === "COMPLETE" && (values === null || values.length === 0 || values.some(Number.isNaN))) {
      throw new EntailError("usage", "a COMPLETE trial needs a value that is a number");
    }
    const { study, trial } = this.#trial(trialId);
    if (isFinished(trial.state)) return false;
    if (trial.state !== "RUNNING") {
      throw new EntailError("data", `trial ${trial.number} is ${trial.state}, not RUNNING`);
    }
    study.trials[trial.number] = {
      ...changed(study, trial, changes),
      state,
      value: values?.[0] ?? null,
      values: values && [...values],
      datetimeComplete: new Date(),
    };
    return true;
  }

  // deno-lint-ignore require-await
  async trials(studyId: number): Promise<readonly FrozenTrial[]> {
    return [...this.#study(studyId).trials];
  }

  // deno-lint-ignore require-await
  async recordHeartbeat(trialId: number): Promise<void> {
    this.#trial(trialId);
    this.#heartbeats.set(trialId, Date.now());
  }

  // deno-lint-ignore require-await
  async staleTrialIds(studyId: number, graceSeconds: number): Promise<number[]> {
    const limit = Date.now() - graceSeconds * 1000;
    return this.#study(studyId).trials.filter((trial) => {
      return trial.state === "RUNNING" && (this.#heartbeats.get(trial.trialId) ?? Infinity) < limit;
    }).map((trial) => trial.trialId);
  }

  async close(): Promise<void> {}

  #study(studyId: number): MemoryStudy {
    const study = this.#studies.get(studyId);
    if (study === undefined) throw new EntailError("data", `there is no study with id ${studyId}`);
    return study;
  }

  #trial(trialId: number): { study: MemoryStudy; trial: FrozenTrial } {
    const place = this.#placeOfTrial.get(trialId);
    if (place === undefined) throw new EntailError("data", `there is no trial with id ${trialId}`);
    return { study: place.study, trial: place.study.trials[place.number] };
  }
}

/** The trial with changes added; throws, changing nothing, when a parameter does not fit the study. */
function changed(study: MemoryStudy, trial: FrozenTrial, changes: TrialChanges): FrozenTrial {
  const { params = [], intermediateValues = [] } = changes;
  for (const { name, distribution } of params) {
    const before = study.domains.get(name);
    if (before !== undefined) checkCompatible(name, before, distribution);
    if (name in trial.params) {
      throw new EntailError("data", `parameter ${name} of trial ${trial.number} is set already`);
    }
  }
  for (const { name, distribution } of params) {
    if (!study.domains.has(name)) study.domains.set(name, distribution);
  }
  const added = <T>(of: (param: (typeof params)[number]) => T): Record<string, T> => {
    return Object.fromEntries(params.map((param) => [param.name, of(param)]));
  };
  return {
    ...trial,
    params: { ...trial.params, ...added((param) => toExternal(param.distribution, param.internal)) },
    distributions: { ...trial.distributions, ...added((param) => param.distribution) },
    internalParams: { ...trial.internalParams, ...added((param) => param.internal) },
    intermediateValues: new Map([...trial.intermediateValues, ...intermediateValues]),
    userAttrs: { ...trial.userAttrs, ...structuredClone(changes.userAttrs ?? {}) },
    systemAttrs: { ...trial.systemAttrs, ...structuredClone(changes.systemAttrs ?? {}) },
  };
}
