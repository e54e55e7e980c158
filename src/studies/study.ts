/** Studies: the part of Optuna's API that searches for one best value. */

import { EntailError } from "../errors.ts";
import { createTrial, hasTrialWith, templateOf } from "./create_trial.ts";
import type { ParamValue } from "./distributions.ts";
import { bestOf, type Direction, type FrozenTrial, isFinished } from "./frozen_trial.ts";
import { graceSeconds, type HeartbeatOptions } from "./heartbeat.ts";
import { MedianPruner } from "./median_pruner.ts";
import { openStorage } from "./open_storage.ts";
import { type Objective, optimize, type OptimizeOptions } from "./optimize.ts";
import type { Pruner } from "./pruner.ts";
import type { JsonValue } from "./python_text.ts";
import type { Sampler } from "./sampler.ts";
import type { Storage, StudyRecord, TrialChanges, TrialGoal } from "./storage.ts";
import { outcomeOf, reasonText, type TellOptions } from "./tell.ts";
import { TPESampler } from "./tpe.ts";
import { Trial } from "./trial.ts";
import { type TrialRow, trialRows } from "./trial_rows.ts";

/** Which study, where, and what proposes and prunes. */
export interface StudyOptions {
  /** The study's name; for `createStudy` one is made up when missing, for `loadStudy` the only one is taken. */
  studyName?: string;
  /** `sqlite:///relative.db`, `sqlite:////absolute.db`, null (default) for memory, or an open storage. */
  storage?: string | null | Storage;
  /** Default: a TPESampler without a seed. */
  sampler?: Sampler;
  /** Default: a MedianPruner. */
  pruner?: Pruner;
  /**
   * Signs of life that `optimize` stores while a trial runs, and when it declares other processes' trials dead. Default: every
   * 30 s, dead after 120 s. Null turns both off.
   */
  heartbeat?: HeartbeatOptions | null;
}

/** How `enqueueTrial` queues. */
export interface EnqueueTrialOptions {
  /** Attributes of the trial. */
  userAttrs?: Readonly<Record<string, JsonValue>>;
  /** Not where the study has a trial with these parameters, sampled or queued, already. */
  skipIfExists?: boolean;
}

/** What a new study is like. */
export interface CreateStudyOptions extends StudyOptions {
  /** Default "minimize". */
  direction?: Direction;
  /** Continue the study of that name, if there is one, instead of failing. */
  loadIfExists?: boolean;
}

async function storageOf(options: StudyOptions): Promise<Storage> {
  const { storage = null } = options;
  return storage === null || typeof storage === "string" ? await openStorage(storage) : storage;
}

/** Creates a study, or continues it with `loadIfExists` (the stored direction then counts). */
export async function createStudy(options: CreateStudyOptions = {}): Promise<Study> {
  const { studyName = `no-name-${crypto.randomUUID()}`, direction = "minimize", loadIfExists = false } = options;
  if (direction !== "minimize" && direction !== "maximize") {
    throw new EntailError("usage", `direction must be minimize or maximize, got ${direction}`);
  }
  const storage = await storageOf(options);
  const created = await storage.createStudy(studyName, [direction]);
  const record = created ?? await storage.findStudy(studyName);
  if (record === null || (created === null && !loadIfExists)) {
    if (storage !== options.storage) await storage.close();
    throw new EntailError("usage", `a study named ${studyName} exists already; use loadIfExists or another name`);
  }
  return await openStudy(record, storage, options);
}

/** Continues a study. Throws when there is none of that name, or no name is given and there is not exactly one. */
export async function loadStudy(options: StudyOptions): Promise<Study> {
  const storage = await storageOf(options);
  const studies = options.studyName === undefined
    ? await storage.listStudies()
    : [await storage.findStudy(options.studyName)].filter((found) => found !== null);
  if (studies.length !== 1) {
    if (storage !== options.storage) await storage.close();
    throw new EntailError(
      "data",
      options.studyName !== undefined
        ? `there is no study named ${options.studyName}`
        : `the storage holds ${studies.length} studies; say which one`,
    );
  }
  return await openStudy(studies[0], storage, options);
}

async function openStudy(record: StudyRecord, storage: Storage, options: StudyOptions): Promise<Study> {
  if (record.directions.length !== 1) {
    throw new EntailError(
      "data",
      `study ${record.studyName} has ${record.directions.length} objectives; only one works`,
    );
  }
  const study = new Study(record, storage, {
    sampler: options.sampler ?? new TPESampler(),
    pruner: options.pruner ?? new MedianPruner(),
    heartbeat: options.heartbeat === undefined ? {} : options.heartbeat,
  });
  try {
    await study.refresh();
  } catch (error) {
    if (storage !== options.storage) await storage.close();
    throw error;
  }
  return study;
}

/** A study over one objective value. Made by `createStudy` and `loadStudy`. */
export class Study {
  /** The storage's own identifier. */
  readonly studyId: number;
  /** Unique in the storage. */
  readonly studyName: string;
  /** Of its value. */
  readonly direction: Direction;
  /** Where its trials are. */
  readonly storage: Storage;
  /** What proposes values. */
  readonly sampler: Sampler;
  /** What ends trials early. */
  readonly pruner: Pruner;
  /** Signs of life; null: none. */
  readonly heartbeat: HeartbeatOptions | null;
  #trials: readonly FrozenTrial[] = [];
  #stopRequested = false;

  /** See `createStudy` and `loadStudy`. */
  constructor(
    record: StudyRecord,
    storage: Storage,
    parts: { sampler: Sampler; pruner: Pruner; heartbeat: HeartbeatOptions | null },
  ) {
    this.studyId = record.studyId;
    this.studyName = record.studyName;
    this.direction = record.directions[0];
    this.storage = storage;
    this.sampler = parts.sampler;
    this.pruner = parts.pruner;
    this.heartbeat = parts.heartbeat;
  }

  /** All trials in order of number, as last read: by any `ask`, `tell` or `optimize` of this object, or `refresh`. */
  get trials(): FrozenTrial[] {
    return [...this.#trials];
  }

  /** The best COMPLETE trial that violates no constraint, the earliest of equals. Throws when there is none. */
  get bestTrial(): FrozenTrial {
    const best = bestOf(this.#trials, this.direction);
    if (best === null) throw new EntailError("data", `study ${this.studyName} has no completed trial yet`);
    return best;
  }

  /** The value of `bestTrial`. */
  get bestValue(): number {
    return this.bestTrial.value!;
  }

  /** Its parameters. */
  get bestParams(): Readonly<Record<string, ParamValue>> {
    return this.bestTrial.params;
  }

  /** Reads what has changed in the storage, also by other processes. */
  async refresh(): Promise<readonly FrozenTrial[]> {
    return this.#trials = await this.storage.trials(this.studyId);
  }

  /** Starts a trial: the first enqueued one that waits, or a new one. It runs until `tell`. */
  async ask(signal: AbortSignal | null = null): Promise<Trial> {
    return (await this.#start(signal))!;
  }

  /**
   * Like `ask`, but null when the study has, or will have once the trials that run now have ended, `totalTrials` finished
   * trials. Several processes that ask so never start one too many. Needs heartbeats: they tell which trials still run.
   */
  async askUpTo(totalTrials: number, signal: AbortSignal | null = null): Promise<Trial | null> {
    if (this.heartbeat === null) throw new EntailError("usage", "totalTrials needs a study with heartbeats");
    return await this.#start(signal, { trials: totalTrials, graceSeconds: graceSeconds(this.heartbeat) });
  }

  async #start(signal: AbortSignal | null, goal?: TrialGoal): Promise<Trial | null> {
    const self = await this.storage.startTrial(this.studyId, goal);
    const trials = await this.refresh();
    if (self === null) return null;
    this.sampler.streams.resume(trials, self.trialId);
    return new Trial(this, self, trials, signal);
  }

  /** Ends a trial (the object, or its number) with a value or a state, and returns it as stored. */
  async tell(trial: Trial | number, value: number | null = null, options: TellOptions = {}): Promise<FrozenTrial> {
    const { skipIfFinished = false, failReason } = options;
    if (trial instanceof Trial) await settleUnlessEnded(trial, skipIfFinished);
    const number = typeof trial === "number" ? trial : trial.number;
    const stored = withNumber(await this.refresh(), number);
    if (stored === undefined) throw new EntailError("usage", `study ${this.studyName} has no trial ${number}`);
    if (stored.state !== "RUNNING") {
      if (skipIfFinished && isFinished(stored.state)) return stored;
      throw new EntailError("usage", `trial ${number} is ${stored.state} and cannot be told a result`);
    }
    const { state, values } = outcomeOf(stored, value, options.state);
    const changes: TrialChanges = state === "FAIL" && failReason !== undefined
      ? { userAttrs: { fail_reason: reasonText(failReason) } }
      : {};
    const ended = await this.storage.finishTrial(stored.trialId, state, values, changes);
    if (!ended && !skipIfFinished) throw new EntailError("usage", `trial ${number} has been ended by another process`);
    return withNumber(await this.refresh(), number)!;
  }

  /**
   * Runs trials of the objective: `nTrials` more of them, or until there are `totalTrials`, or until `stop` or the signal. A thrown `TrialPruned` ends a
   * trial as PRUNED; any other error ends it as FAIL and is thrown on unless `catch` accepts it; NaN ends it as FAIL.
   * When the signal aborts, the running trial becomes FAIL at once and EntailError("interrupted") is thrown as soon
   * as the objective has returned, so nothing is left RUNNING.
   */
  async optimize(objective: Objective, options: OptimizeOptions<Study> = {}): Promise<void> {
    this.#stopRequested = false;
    await optimize(this, objective, options, () => this.#stopRequested);
  }

  /** Lets `optimize` end after the current trial. */
  stop(): void {
    this.#stopRequested = true;
  }

  /** Queues a trial with given values; parameters that are missing are sampled when it runs. Stored as Optuna stores it. */
  async enqueueTrial(
    params: Readonly<Record<string, ParamValue>>,
    { userAttrs = {}, skipIfExists = false }: EnqueueTrialOptions = {},
  ): Promise<void> {
    if (skipIfExists && hasTrialWith(await this.refresh(), params)) return;
    await this.addTrial(createTrial({ state: "WAITING", systemAttrs: { fixed_params: params }, userAttrs }));
  }

  /** Adds a trial that did not run here: one of `createTrial`, or of another study. It gets the next number. */
  async addTrial(trial: FrozenTrial): Promise<void> {
    await this.addTrials([trial]);
  }

  /** Adds several, in order. */
  async addTrials(trials: readonly FrozenTrial[]): Promise<void> {
    const templates = trials.map(templateOf);
    for (const template of templates) await this.storage.createTrial(this.studyId, template);
    await this.refresh();
  }

  /** The trials as rows of a table, read anew: see `TrialRow`. */
  async trialRows(): Promise<TrialRow[]> {
    const { systemAttrs } = await this.record();
    return trialRows(await this.refresh(), systemAttrs["study:metric_names"] as string[] | undefined);
  }

  /** Stores something of the user's with the study: any JSON value. */
  async setUserAttr(key: string, value: JsonValue): Promise<void> {
    await this.storage.setStudyAttr(this.studyId, "user", key, value);
  }

  /** The study's user attributes as stored now. */
  async userAttrs(): Promise<Readonly<Record<string, JsonValue>>> {
    return (await this.record()).userAttrs;
  }

  /** What is stored now of the study itself. */
  async record(): Promise<StudyRecord> {
    const record = await this.storage.findStudy(this.studyName);
    if (record === null) throw new EntailError("data", `there is no study named ${this.studyName} any more`);
    return record;
  }

  /** Closes the storage. */
  async close(): Promise<void> {
    await this.storage.close();
  }
}

function withNumber(trials: readonly FrozenTrial[], number: number): FrozenTrial | undefined {
  // Numbers have no gaps unless a foreign program has deleted trials.
  return trials[number]?.number === number ? trials[number] : trials.find((trial) => trial.number === number);
}

/** Waits for a trial's own writes; if they failed because someone else has ended the trial, `tell` finds that out. */
async function settleUnlessEnded(trial: Trial, skipIfFinished: boolean): Promise<void> {
  try {
    await trial.settle();
  } catch (error) {
    if (!skipIfFinished) throw error;
  }
}
