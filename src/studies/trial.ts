/** The trial that an objective works with: proposes values, takes reports, says whether to stop. */

import { EntailError } from "../errors.ts";
import {
  categoricalDistribution,
  checkCompatible,
  containsInternal,
  type Distribution,
  floatDistribution,
  intDistribution,
  isSingle,
  type ParamValue,
  singleValue,
  toExternal,
  toInternal,
} from "./distributions.ts";
import type { Direction, FrozenTrial } from "./frozen_trial.ts";
import type { Pruner } from "./pruner.ts";
import { type JsonValue, pythonJson } from "./python_text.ts";
import { type JointSample, type Sampler, STREAM_ATTRIBUTE } from "./sampler.ts";
import type { Storage, StoredParam, TrialChanges } from "./storage.ts";

/** Thrown by an objective to end its trial as PRUNED. */
export class TrialPruned extends Error {
  /** The message is for people. */
  constructor(message = "the trial was pruned") {
    super(message);
    this.name = "TrialPruned";
  }
}

/** The parts of a study that its trials use. */
export interface TrialHost {
  readonly studyId: number;
  readonly studyName: string;
  readonly direction: Direction;
  readonly storage: Storage;
  readonly sampler: Sampler;
  readonly pruner: Pruner;
}

/** A running trial. Values proposed once stay the same for the rest of the trial. */
export class Trial {
  /** Consecutive within the study, from 0. */
  readonly number: number;
  /** The storage's own identifier. */
  readonly trialId: number;
  /** Aborted when the study is to stop now; null when the study was not given a signal. */
  readonly signal: AbortSignal | null;
  readonly #host: TrialHost;
  readonly #snapshot: readonly FrozenTrial[];
  #self: FrozenTrial;
  #joint: JointSample | null = null;
  #pendingParams: StoredParam[] = [];
  #pendingAttrs: Record<string, JsonValue> = {};
  #flushScheduled = false;
  #writes: Promise<void> = Promise.resolve();

  /** Made by `study.ask` and `study.optimize`; `snapshot` is what the sampler sees of the study. */
  constructor(
    host: TrialHost,
    self: FrozenTrial,
    snapshot: readonly FrozenTrial[],
    signal: AbortSignal | null = null,
  ) {
    this.#host = host;
    this.#self = self;
    this.#snapshot = snapshot;
    this.number = self.number;
    this.trialId = self.trialId;
    this.signal = signal;
  }

  /** Values proposed so far. */
  get params(): Readonly<Record<string, ParamValue>> {
    return this.#self.params;
  }

  /** What was stored with it by `setUserAttr`. */
  get userAttrs(): Readonly<Record<string, JsonValue>> {
    return this.#self.userAttrs;
  }

  /** What samplers and pruners have stored. */
  get systemAttrs(): Readonly<Record<string, JsonValue>> {
    return this.#self.systemAttrs;
  }

  /** A float in [low, high]; `log` samples its logarithm uniformly, `step` restricts it to low + k·step. */
  suggestFloat(name: string, low: number, high: number, options: { log?: boolean; step?: number } = {}): number {
    return this.#suggest(name, floatDistribution(low, high, options)) as number;
  }

  /** An integer in [low, high]. */
  suggestInt(name: string, low: number, high: number, options: { log?: boolean; step?: number } = {}): number {
    return this.#suggest(name, intDistribution(low, high, options)) as number;
  }

  /** One of the choices, which must be the same in all trials of a study. */
  suggestCategorical<T extends ParamValue>(name: string, choices: readonly T[]): T {
    return this.#suggest(name, categoricalDistribution(choices)) as T;
  }

  /** Stores an intermediate value for the pruner. Steps are whole numbers from 0; a step's first report counts. */
  async report(value: number, step: number): Promise<void> {
    this.signal?.throwIfAborted();
    if (typeof value !== "number") throw new EntailError("usage", `report: the value must be a number, got ${value}`);
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new EntailError("usage", `report: the step must be a whole number of at least 0, got ${step}`);
    }
    if (this.#self.intermediateValues.has(step)) return;
    this.#self = {
      ...this.#self,
      intermediateValues: new Map([...this.#self.intermediateValues, [step, value]]),
    };
    await this.#write({ intermediateValues: [[step, value]] });
  }

  /** Whether the pruner wants this trial to end after the last report; the objective then throws `TrialPruned`. */
  async shouldPrune(): Promise<boolean> {
    this.signal?.throwIfAborted();
    await this.settle();
    const { storage, studyId, studyName, direction, pruner } = this.#host;
    const trials = await storage.trials(studyId);
    const { prune, systemAttrs } = pruner.decide({ studyName, direction, trials, trial: this.#self });
    if (Object.keys(systemAttrs).length > 0) {
      this.#self = { ...this.#self, systemAttrs: { ...this.#self.systemAttrs, ...systemAttrs } };
      await this.#write({ systemAttrs });
    }
    return prune;
  }

  /** Stores something of the user's with the trial: any JSON value. */
  async setUserAttr(key: string, value: JsonValue): Promise<void> {
    await this.setUserAttrs({ [key]: value });
  }

  /** Several at once. */
  async setUserAttrs(userAttrs: Readonly<Record<string, JsonValue>>): Promise<void> {
    // Throws now, and not when the trial's other changes are stored.
    for (const value of Object.values(userAttrs)) pythonJson(value);
    this.#self = { ...this.#self, userAttrs: { ...this.#self.userAttrs, ...userAttrs } };
    await this.#write({ userAttrs });
  }

  /** Stores a constraint: positive values are violations, and a trial with one is never the best. */
  async setConstraint(key: string, value: number): Promise<void> {
    if (Number.isNaN(value)) throw new EntailError("usage", `constraint ${key} must not be NaN`);
    const systemAttrs = { [`constraints:${key}`]: value };
    this.#self = { ...this.#self, systemAttrs: { ...this.#self.systemAttrs, ...systemAttrs } };
    await this.#write({ systemAttrs });
  }

  /** Waits until everything is stored; throws what went wrong in storing proposed values. */
  async settle(): Promise<void> {
    this.#flush();
    await this.#writes;
  }

  #suggest(name: string, distribution: Distribution): ParamValue {
    if (name in Object.prototype) throw new EntailError("usage", `a parameter cannot be called ${name} in JavaScript`);
    const before = this.#self.distributions[name];
    if (before !== undefined) {
      checkCompatible(name, before, distribution);
      return this.#self.params[name];
    }
    const known = this.#snapshot.find((trial) => name in trial.distributions);
    if (known !== undefined) checkCompatible(name, known.distributions[name], distribution);
    const internal = toInternal(distribution, this.#propose(name, distribution));
    const value = toExternal(distribution, internal);
    this.#self = {
      ...this.#self,
      params: { ...this.#self.params, [name]: value },
      distributions: { ...this.#self.distributions, [name]: distribution },
      internalParams: { ...this.#self.internalParams, [name]: internal },
    };
    this.#pendingParams.push({ name, internal, distribution });
    this.#scheduleFlush();
    return value;
  }

  #propose(name: string, distribution: Distribution): ParamValue {
    const fixed = this.#self.systemAttrs.fixed_params as Record<string, ParamValue> | undefined;
    if (fixed !== undefined && name in fixed) return fixed[name];
    if (isSingle(distribution)) return singleValue(distribution);
    const { sampler, direction } = this.#host;
    const context = { direction, trials: this.#snapshot, trial: this.#self };
    const joint = this.#joint ??= this.#sampleJoint();
    const value = joint.values.get(name);
    if (value !== undefined) {
      checkCompatible(name, joint.space.get(name)!, distribution);
      if (containsInternal(distribution, toInternal(distribution, value))) return value;
    }
    const single = sampler.sampleOne(context, name, distribution);
    this.#notePosition();
    return single;
  }

  #sampleJoint(): JointSample {
    const { sampler, direction } = this.#host;
    const joint = sampler.sampleJoint({ direction, trials: this.#snapshot, trial: this.#self });
    Object.assign(this.#pendingAttrs, sampler.sharedAttributes(joint));
    this.#notePosition();
    return joint;
  }

  #notePosition(): void {
    const record = this.#host.sampler.streams.record();
    if (record !== null) this.#pendingAttrs[STREAM_ATTRIBUTE] = record;
  }

  /** Values proposed in one go are stored in one transaction, as soon as the objective waits for anything. */
  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#pendingParams.length > 0 || Object.keys(this.#pendingAttrs).length > 0) {
      // Whoever waits next learns of a failure; nobody may be waiting now.
      this.#write({}).catch(() => {});
    }
  }

  #write(changes: TrialChanges): Promise<void> {
    const params = this.#pendingParams;
    const systemAttrs = { ...this.#pendingAttrs, ...changes.systemAttrs };
    this.#pendingParams = [];
    this.#pendingAttrs = {};
    this.#writes = this.#writes.then(() => {
      return this.#host.storage.updateTrial(this.trialId, { ...changes, params, systemAttrs });
    });
    return this.#writes;
  }
}
