/**
 * The domains that a parameter can be sampled from, and their text in a database.
 *
 * A value has two forms, as in Optuna: the external one that the objective sees (a number, or one of the choices) and
 * the internal one that samplers and databases use (always a number; for a categorical the index of the choice).
 */

import { EntailError } from "../errors.ts";
import { lastReachableStep, rangeBelowStep } from "./decimal.ts";
import { type JsonValue, parsePythonJson, pythonFloat, pythonJson } from "./python_text.ts";

/** What a categorical parameter can choose, and what any parameter's value can be. */
export type ParamValue = null | boolean | number | string;

/** Real numbers in [low, high], uniform, log-uniform, or every `step` from low on. */
export interface FloatDistribution {
  /** Real numbers. */
  readonly kind: "float";
  /** The lowest value. */
  readonly low: number;
  /** The highest value. */
  readonly high: number;
  /** Whether the logarithm is uniform. */
  readonly log: boolean;
  /** The distance between values; null: continuous. */
  readonly step: number | null;
}

/** Integers in [low, high], every `step` from low on, uniform or log-uniform. */
export interface IntDistribution {
  /** Whole numbers. */
  readonly kind: "int";
  /** The lowest value. */
  readonly low: number;
  /** The highest value. */
  readonly high: number;
  /** Whether the logarithm is uniform. */
  readonly log: boolean;
  /** The distance between values. */
  readonly step: number;
}

/** One of a fixed list. */
export interface CategoricalDistribution {
  /** A list. */
  readonly kind: "categorical";
  /** The values. */
  readonly choices: readonly ParamValue[];
}

/** A domain of numbers. */
export type NumericDistribution = FloatDistribution | IntDistribution;
/** The domain of a parameter. */
export type Distribution = NumericDistribution | CategoricalDistribution;

/** Parameter names with their domains, in sampling order. */
export type SearchSpace = ReadonlyMap<string, Distribution>;

function fail(message: string): never {
  throw new EntailError("usage", message);
}

function checkRange(low: number, high: number, log: boolean, lowest: number): void {
  if (!Number.isFinite(low) || !Number.isFinite(high)) fail(`low and high must be finite, got ${low} and ${high}`);
  if (low > high) fail(`low must not exceed high, got low=${low}, high=${high}`);
  if (log && (lowest === 0 ? low <= 0 : low < lowest)) {
    fail(`a log domain needs low ${lowest === 0 ? "> 0" : `>= ${lowest}`}, got ${low}`);
  }
}

/** A float domain. With a step, `high` is lowered to the last value that the step reaches, in decimal arithmetic. */
export function floatDistribution(
  low: number,
  high: number,
  options: { log?: boolean; step?: number | null } = {},
): FloatDistribution {
  const { log = false, step = null } = options;
  if (log && step !== null) fail("step cannot be used together with log");
  checkRange(low, high, log, 0);
  if (step === null) return { kind: "float", low, high, log, step };
  if (!(step > 0)) fail(`step must be positive, got ${step}`);
  return { kind: "float", low, high: lastReachableStep(low, high, step), log, step };
}

/** An integer domain. `high` is lowered to the last value that the step reaches; `log` needs step 1. */
export function intDistribution(
  low: number,
  high: number,
  options: { log?: boolean; step?: number } = {},
): IntDistribution {
  const { log = false, step = 1 } = options;
  for (const value of [low, high, step]) {
    if (!Number.isSafeInteger(value)) fail(`an integer domain needs whole numbers, got ${value}`);
  }
  if (log && step !== 1) fail("an integer log domain needs step 1");
  checkRange(low, high, log, 1);
  if (step <= 0) fail(`step must be positive, got ${step}`);
  return { kind: "int", low, high: low + Math.floor((high - low) / step) * step, log, step };
}

/** A categorical domain over at least one choice. */
export function categoricalDistribution(choices: readonly ParamValue[]): CategoricalDistribution {
  if (choices.length === 0) fail("a categorical parameter needs at least one choice");
  for (const choice of choices) {
    if (choice !== null && !["boolean", "number", "string"].includes(typeof choice)) {
      fail(`a choice must be null, a boolean, a number or a string, got ${JSON.stringify(choice)}`);
    }
  }
  return { kind: "categorical", choices: [...choices] };
}

/** Whether the domain holds a single value, which then needs no sampling. */
export function isSingle(distribution: Distribution): boolean {
  if (distribution.kind === "categorical") return distribution.choices.length === 1;
  const { low, high, step } = distribution;
  if (low === high) return true;
  if (distribution.kind === "int") return !distribution.log && high - low < distribution.step;
  return step !== null && rangeBelowStep(low, high, step);
}

/** The only value of a domain for which `isSingle` holds. */
export function singleValue(distribution: Distribution): ParamValue {
  return distribution.kind === "categorical" ? distribution.choices[0] : distribution.low;
}

/** Equality of choices as Python sees it: true equals 1, NaN counts as equal to itself. */
function sameChoice(a: ParamValue, b: ParamValue): boolean {
  if (a === b) return true;
  if (typeof a === "number" && typeof b === "number") return Number.isNaN(a) && Number.isNaN(b);
  const numeric = (value: ParamValue) => typeof value === "number" || typeof value === "boolean";
  return numeric(a) && numeric(b) && Number(a) === Number(b);
}

/** Value → number for samplers and storage. Throws when the value does not fit the kind of domain (out of range is allowed). */
export function toInternal(distribution: Distribution, value: ParamValue): number {
  if (distribution.kind === "categorical") {
    const index = distribution.choices.indexOf(value);
    if (index >= 0) return index;
    const equal = distribution.choices.findIndex((choice) => sameChoice(choice, value));
    if (equal < 0) fail(`${JSON.stringify(value)} is not one of the choices ${pythonJson(distribution.choices)}`);
    return equal;
  }
  const number = typeof value === "string" && value.trim() !== "" || typeof value === "boolean" ? Number(value) : value;
  if (typeof number !== "number" || Number.isNaN(number)) fail(`${JSON.stringify(value)} is not a number`);
  if (distribution.log && number <= 0) fail(`${number} cannot be used in a log domain`);
  return number;
}

/** Number → value. */
export function toExternal(distribution: Distribution, internal: number): ParamValue {
  if (distribution.kind === "float") return internal;
  if (distribution.kind === "int") return Math.trunc(internal);
  const index = Math.trunc(internal);
  if (!(index >= 0 && index < distribution.choices.length)) {
    throw new EntailError("data", `choice ${index} does not exist in ${pythonJson(distribution.choices)}`);
  }
  return distribution.choices[index];
}

/** Whether an internal value lies in the domain (and on its grid). */
export function containsInternal(distribution: Distribution, internal: number): boolean {
  if (distribution.kind === "categorical") {
    const index = Math.trunc(internal);
    return index >= 0 && index < distribution.choices.length;
  }
  const { low, high, step } = distribution;
  if (!(low <= internal && internal <= high)) return false;
  if (distribution.kind === "int") return (internal - low) % distribution.step === 0;
  if (step === null) return true;
  const k = (internal - low) / step;
  return Math.abs(k - roundHalfEven(k)) < 1e-8;
}

/** Rounds to the nearest integer, halves to the even one (Python's and NumPy's `round`). */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

export function sameDistribution(a: Distribution, b: Distribution): boolean {
  if (a === b) return true;
  if (a.kind === "categorical" || b.kind === "categorical") {
    if (a.kind !== "categorical" || b.kind !== "categorical") return false;
    return a.choices.length === b.choices.length && a.choices.every((choice, i) => sameChoice(choice, b.choices[i]));
  }
  return a.kind === b.kind && a.low === b.low && a.high === b.high && a.log === b.log && a.step === b.step;
}

/** Throws when a parameter of a study changes its kind, its `log` or its choices between trials. */
export function checkCompatible(name: string, before: Distribution, now: Distribution): void {
  if (before.kind !== now.kind) {
    fail(`parameter ${name} was ${before.kind} in this study and cannot become ${now.kind}; use another study name`);
  }
  if (before.kind !== "categorical" && before.log !== (now as NumericDistribution).log) {
    fail(`parameter ${name} cannot change between log and linear within a study; use another study name`);
  }
  if (before.kind === "categorical" && !sameDistribution(before, now)) {
    fail(`the choices of parameter ${name} cannot change within a study; use another study name`);
  }
}

/** The text that Optuna 5 stores in `trial_params.distribution_json`, byte for byte. */
export function distributionToJson(distribution: Distribution): string {
  if (distribution.kind === "categorical") {
    return `{"name": "CategoricalDistribution", "attributes": {"choices": ${pythonJson(distribution.choices)}}}`;
  }
  const { low, high, log, step } = distribution;
  if (distribution.kind === "int") {
    return `{"name": "IntDistribution", "attributes": ` +
      `{"log": ${log}, "step": ${step}, "low": ${low}, "high": ${high}}}`;
  }
  const stepText = step === null ? "null" : pythonFloat(step);
  return `{"name": "FloatDistribution", "attributes": ` +
    `{"step": ${stepText}, "low": ${pythonFloat(low)}, "high": ${pythonFloat(high)}, "log": ${log}}}`;
}

const parsed = new Map<string, Distribution>();

/**
 * Reads a stored distribution, also the names that Optuna used before 3.0. Equal texts give the same object. Data error
 * for anything else.
 */
export function distributionFromJson(text: string): Distribution {
  let distribution = parsed.get(text);
  if (distribution === undefined) {
    try {
      distribution = parseDistribution(text);
    } catch (cause) {
      const reason = cause instanceof EntailError ? cause.message : "it is not Optuna's JSON";
      const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
      throw new EntailError("data", `the distribution ${JSON.stringify(shown)} cannot be read: ${reason}`, { cause });
    }
    parsed.set(text, distribution);
  }
  return distribution;
}

function parseDistribution(text: string): Distribution {
  const json = parsePythonJson(text) as { name?: string; attributes?: Record<string, JsonValue> };
  const attributes = json.attributes ?? {};
  const number = (key: string): number => {
    const value = attributes[key];
    return typeof value === "number" ? value : fail(`${key} must be a number, got ${JSON.stringify(value ?? null)}`);
  };
  const step = attributes.step === undefined || attributes.step === null ? null : number("step");
  const log = attributes.log === true;
  switch (json.name) {
    case "FloatDistribution":
      return floatDistribution(number("low"), number("high"), { log, step });
    case "UniformDistribution":
      return floatDistribution(number("low"), number("high"));
    case "LogUniformDistribution":
      return floatDistribution(number("low"), number("high"), { log: true });
    case "DiscreteUniformDistribution":
      return floatDistribution(number("low"), number("high"), { step: number("q") });
    case "IntDistribution":
    case "IntUniformDistribution":
      return intDistribution(number("low"), number("high"), { log, step: step ?? 1 });
    case "IntLogUniformDistribution":
      return intDistribution(number("low"), number("high"), { log: true });
    case "CategoricalDistribution":
      return categoricalDistribution(attributes.choices as readonly ParamValue[]);
    default:
      return fail("there is no distribution of that name");
  }
}
