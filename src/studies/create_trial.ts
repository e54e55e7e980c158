/** Trials that have not run here: made by hand, from another study, or queued. */
import { EntailError } from "../errors.ts";
import { containsInternal, type Distribution, type ParamValue, toInternal } from "./distributions.ts";
import { type FrozenTrial, isFinished, type TrialState } from "./frozen_trial.ts";
import type { JsonValue } from "./python_text.ts";
import type { TrialTemplate } from "./storage.ts";

/** What a trial made by hand consists of. */
export interface CreateTrialOptions {
  /** Default: COMPLETE, which needs a value. */
  state?: TrialState;
  /** The objective's value. */
  value?: number | null;
  /** The parameters; each needs its distribution. */
  params?: Readonly<Record<string, ParamValue>>;
  /** Where each parameter comes from. */
  distributions?: Readonly<Record<string, Distribution>>;
  /** What the user says of it. */
  userAttrs?: Readonly<Record<string, JsonValue>>;
  /** What samplers and pruners say of it. */
  systemAttrs?: Readonly<Record<string, JsonValue>>;
  /** Reported values by step. */
  intermediateValues?: Readonly<Record<number, number>> | ReadonlyMap<number, number>;
  /** Constraints by name: positive values are violations. */
  constraints?: Readonly<Record<string, number>>;
}

/**
 * A trial for `study.addTrial`, as Optuna's `create_trial` makes it: it begins and ends now, and has no number yet. Usage error
 * where its parts do not fit each other.
 *
 * @example
 * const trial = createTrial({ params: { x: 2 }, distributions: { x: floatDistribution(0, 10) }, value: 4 });
 * await study.addTrial(trial);
 */
export function createTrial(options: CreateTrialOptions): FrozenTrial {
  const { state = "COMPLETE", value = null, params = {}, distributions = {}, userAttrs = {}, constraints = {} } =
    options;
  const { intermediateValues = new Map() } = options;
  const now = new Date();
  const named = Object.entries(constraints).map(([name, constraint]) => [`constraints:${name}`, constraint]);
  const trial: FrozenTrial = {
    trialId: -1,
    number: -1,
    state,
    value,
    values: value === null ? null : [value],
    params,
    distributions,
    internalParams: internalParams(params, distributions),
    intermediateValues: intermediateValues instanceof Map
      ? intermediateValues
      : new Map(Object.entries(intermediateValues).map(([step, reported]) => [Number(step), reported])),
    userAttrs,
    systemAttrs: { ...options.systemAttrs, ...Object.fromEntries(named) },
    datetimeStart: state === "WAITING" ? null : now,
    datetimeComplete: isFinished(state) ? now : null,
  };
  checkTrial(trial);
  return trial;
}

function internalParams(
  params: Readonly<Record<string, ParamValue>>,
  distributions: Readonly<Record<string, Distribution>>,
): Record<string, number> {
  const names = [...new Set([...Object.keys(params), ...Object.keys(distributions)])];
  return Object.fromEntries(names.map((name) => {
    if (!Object.hasOwn(params, name)) fail(`parameter ${name} has a distribution and no value`);
    if (!Object.hasOwn(distributions, name)) fail(`parameter ${name} has a value and no distribution`);
    const internal = toInternal(distributions[name], params[name]);
    if (!containsInternal(distributions[name], internal)) {
      fail(`the value ${params[name]} of parameter ${name} is not in its distribution`);
    }
    return [name, internal];
  }));
}

/** Usage error where a trial contradicts itself; the rules are Optuna's. */
function checkTrial({ state, values, datetimeStart, datetimeComplete }: FrozenTrial): void {
  if (state !== "WAITING" && datetimeStart === null) fail(`a ${state} trial needs a datetimeStart`);
  if (isFinished(state) !== (datetimeComplete !== null)) {
    fail(`a ${state} trial ${isFinished(state) ? "needs a" : "has no"} datetimeComplete`);
  }
  if (state === "FAIL" && values !== null) fail("a FAIL trial has no value");
  if (state === "COMPLETE" && (values === null || values.some(Number.isNaN))) {
    fail("a COMPLETE trial needs a value that is a number");
  }
}

function fail(message: string): never {
  throw new EntailError("usage", message);
}

/** What a storage is given of a trial that is added. Usage error where it contradicts itself. */
export function templateOf(trial: FrozenTrial): TrialTemplate {
  checkTrial(trial);
  const { state, values, distributions, userAttrs, systemAttrs, datetimeStart, datetimeComplete } = trial;
  const internal = internalParams(trial.params, distributions);
  return {
    state,
    values: values ?? undefined,
    params: Object.entries(internal).map(([name, internal]) => ({ name, internal, distribution: distributions[name] })),
    userAttrs,
    systemAttrs,
    intermediateValues: [...trial.intermediateValues],
    datetimeStart: datetimeStart ?? undefined,
    datetimeComplete: datetimeComplete ?? undefined,
  };
}

/** Whether a study has a trial with just these parameters, sampled or queued: Optuna's `skip_if_exists`. */
export function hasTrialWith(trials: readonly FrozenTrial[], params: Readonly<Record<string, ParamValue>>): boolean {
  const names = Object.keys(params);
  return trials.some(({ systemAttrs, params: sampled }) => {
    const before = (systemAttrs.fixed_params ?? sampled) as Readonly<Record<string, ParamValue>>;
    return Object.keys(before).length === names.length &&
      names.every((name) => Object.hasOwn(before, name) && repeats(params[name], before[name]));
  });
}

/** Python's types: a boolean is a number too. Numbers are compared as by `numpy.isclose(…, atol=0, equal_nan=True)`. */
function repeats(value: ParamValue, before: ParamValue): boolean {
  if (typeof value !== typeof before && !(typeof value === "boolean" && typeof before === "number")) return false;
  if (typeof before !== "number" && typeof before !== "boolean") return value === before;
  const [a, b] = [Number(value), Number(before)];
  return a === b || Number.isNaN(a) && Number.isNaN(b) || Math.abs(a - b) <= 1e-5 * Math.abs(b);
}
