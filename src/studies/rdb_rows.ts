/** How Optuna writes a trial into rows, and back. */

import { EntailError } from "../errors.ts";
import {
  type Distribution,
  distributionFromJson,
  distributionToJson,
  type ParamValue,
  toExternal,
} from "./distributions.ts";
import type { Direction, FrozenTrial, TrialState } from "./frozen_trial.ts";
import { type JsonValue, parsePythonJson, pythonJson } from "./python_text.ts";
import { STREAM_ATTRIBUTE } from "./sampler.ts";
import type { Sql, SqlDriver, SqlRow } from "./sql_driver.ts";
import type { TrialChanges } from "./storage.ts";

const STATES: readonly string[] = ["RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"];

/** `2026-01-02 03:04:05.678901`: UTC without an offset, as Optuna 5 writes times. */
export function timeText(time: Date): string {
  return time.toISOString().replace("T", " ").replace("Z", "000");
}

/** Reads a stored time; offsets are dropped, not applied, as Optuna does. */
export function parseTime(text: unknown): Date | null {
  if (text === null || text === undefined) return null;
  const match = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)/.exec(String(text));
  if (match === null) throw new EntailError("data", `${JSON.stringify(text)} is not a time that Optuna stores`);
  const time = new Date(`${match[1]}T${match[2]}Z`);
  return Number.isNaN(time.getTime()) ? broken(`${text} is not a time`) : time;
}

/** Value and type columns: infinities (and NaN, for reports) are stored as NULL with a name. */
export function valueColumns(value: number): [value: number | null, type: string] {
  if (Number.isNaN(value)) return [null, "NAN"];
  if (value === Infinity) return [null, "INF_POS"];
  if (value === -Infinity) return [null, "INF_NEG"];
  return [value, "FINITE"];
}

export function valueFromColumns(value: unknown, type: unknown): number {
  if (type === "FINITE" && typeof value === "number") return value;
  if (type === "INF_POS") return Infinity;
  if (type === "INF_NEG") return -Infinity;
  if (type === "NAN") return NaN;
  throw new EntailError("data", `a stored value of type ${type} cannot be ${value}`);
}

/** Stores everything at once, so that a server far away is asked once. */
export async function insertChanges(sql: Sql, trialId: number, changes: TrialChanges): Promise<void> {
  const attributes = (["user", "system"] as const).flatMap((kind) =>
    Object.entries((kind === "user" ? changes.userAttrs : changes.systemAttrs) ?? {}).map(([key, value]) =>
      sql.all(
        `INSERT INTO trial_${kind}_attributes (trial_id, "key", value_json) VALUES (?, ?, ?) ` +
          `ON CONFLICT (trial_id, "key") DO UPDATE SET value_json = excluded.value_json`,
        [trialId, key, pythonJson(value)],
      )
    )
  );
  const reports = (changes.intermediateValues ?? []).map(([step, value]) =>
    sql.all(
      "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) " +
        "VALUES (?, ?, ?, ?) ON CONFLICT (trial_id, step) DO UPDATE SET " +
        "intermediate_value = excluded.intermediate_value, intermediate_value_type = excluded.intermediate_value_type",
      [trialId, step, ...valueColumns(value)],
    )
  );
  const params = (changes.params ?? []).map(({ name, internal, distribution }) =>
    sql.all(
      "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT (trial_id, param_name) DO UPDATE SET param_value = excluded.param_value",
      [trialId, name, internal, distributionToJson(distribution)],
    )
  );
  await Promise.all([...params, ...attributes, ...reports]);
}

/** Stores what a trial has come to. */
export async function insertValues(sql: Sql, trialId: number, values: readonly number[] | null): Promise<void> {
  for (const [objective, value] of (values ?? []).entries()) {
    await sql.all("INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, ?, ?, ?)", [
      trialId,
      objective,
      ...valueColumns(value),
    ]);
  }
}

/** The rows of one trial, from the six tables that hold it. */
export interface TrialRows {
  readonly trial: SqlRow;
  /** In order of `param_id`. */
  readonly params: SqlRow[];
  readonly values: SqlRow[];
  /** In order of storing. */
  readonly intermediateValues: SqlRow[];
  readonly userAttrs: SqlRow[];
  readonly systemAttrs: SqlRow[];
}

const DETAIL_QUERIES = {
  params: "SELECT trial_id, param_name, param_value, distribution_json FROM trial_params WHERE # ORDER BY param_id",
  values: "SELECT trial_id, objective, value, value_type FROM trial_values WHERE #",
  intermediateValues: "SELECT trial_id, step, intermediate_value, intermediate_value_type " +
    "FROM trial_intermediate_values WHERE # ORDER BY trial_intermediate_value_id",
  userAttrs: 'SELECT trial_id, "key", value_json FROM trial_user_attributes WHERE # ORDER BY trial_user_attribute_id',
  systemAttrs:
    'SELECT trial_id, "key", value_json FROM trial_system_attributes WHERE # ORDER BY trial_system_attribute_id',
};
type Detail = keyof typeof DETAIL_QUERIES;

/** Rows of trials with what the other tables hold of them, read afterwards: what a finished row promises is then there. */
export async function withDetails(driver: SqlDriver, rows: readonly SqlRow[]): Promise<TrialRows[]> {
  const ids = JSON.stringify(rows.map((row) => row.trial_id));
  const condition = driver.dialect.inJsonList("trial_id");
  const details = {} as Record<Detail, Map<unknown, SqlRow[]>>;
  // All at once: a server far away is asked once.
  await Promise.all((Object.keys(DETAIL_QUERIES) as Detail[]).map(async (detail) => {
    const byTrial = details[detail] = new Map<unknown, SqlRow[]>(rows.map((row) => [row.trial_id, []]));
    for (const row of await driver.all(DETAIL_QUERIES[detail].replace("#", condition), [ids])) {
      byTrial.get(row.trial_id)!.push(row);
    }
  }));
  return rows.map((trial) => ({
    trial,
    params: details.params.get(trial.trial_id)!,
    values: details.values.get(trial.trial_id)!,
    intermediateValues: details.intermediateValues.get(trial.trial_id)!,
    userAttrs: details.userAttrs.get(trial.trial_id)!,
    systemAttrs: details.systemAttrs.get(trial.trial_id)!,
  }));
}

/** Names what a broken row belongs to in front of its error. */
function within<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EntailError)) throw error;
    throw new EntailError("data", `${what}: ${error.message}`, { cause: error });
  }
}

function broken(message: string): never {
  throw new EntailError("data", message);
}

/** A whole number of at least 0. */
function wholeNumber(value: unknown, what: string): number {
  return Number.isSafeInteger(value) && value as number >= 0
    ? value as number
    : broken(`its ${what} is ${JSON.stringify(value)}, not a whole number`);
}

/** NOT_SET (from very old studies) behaves as minimise. */
export function directionFromColumn(text: unknown): Direction {
  if (text === "MAXIMIZE") return "maximize";
  if (text === "MINIMIZE" || text === "NOT_SET") return "minimize";
  return broken(`its direction ${JSON.stringify(text)} is unknown`);
}

export function attributesFromRows(rows: readonly SqlRow[]): Record<string, JsonValue> {
  const attributes: Record<string, JsonValue> = {};
  for (const row of rows) {
    const text = String(row.value_json);
    try {
      attributes[String(row.key)] = parsePythonJson(text);
    } catch {
      broken(`attribute ${row.key}: ${JSON.stringify(text.slice(0, 200))} is not JSON`);
    }
  }
  return attributes;
}

/** A trial from its rows. Data error that names the trial, and the parameter, for what Optuna would not have stored. */
export function trialFromRows(rows: TrialRows): FrozenTrial {
  return within(`trial ${rows.trial.number}`, () => readTrial(rows));
}

function readTrial({ trial, ...rows }: TrialRows): FrozenTrial {
  if (!STATES.includes(String(trial.state))) broken(`its state ${JSON.stringify(trial.state)} is unknown`);
  const params: Record<string, ParamValue> = {};
  const distributions: Record<string, Distribution> = {};
  const internalParams: Record<string, number> = {};
  for (const row of rows.params) {
    const name = String(row.param_name);
    within(`parameter ${name}`, () => {
      const distribution = distributionFromJson(String(row.distribution_json));
      const internal = internalValue(distribution, row.param_value);
      distributions[name] = distribution;
      internalParams[name] = internal;
      params[name] = toExternal(distribution, internal);
    });
  }
  const values: number[] = [];
  for (const row of rows.values) {
    values[wholeNumber(row.objective, "objective")] = valueFromColumns(row.value, row.value_type);
  }
  if (values.includes(undefined as never) || (trial.state === "COMPLETE" && values.length === 0)) {
    broken("it has no value of an objective");
  }
  const reports = rows.intermediateValues.map((row): [number, number] => [
    wholeNumber(row.step, "step"),
    valueFromColumns(row.intermediate_value, row.intermediate_value_type),
  ]);
  return {
    trialId: Number(trial.trial_id),
    number: wholeNumber(trial.number, "number"),
    state: trial.state as TrialState,
    value: values.length > 0 ? values[0] : null,
    values: values.length > 0 ? values : null,
    params,
    distributions,
    internalParams,
    intermediateValues: new Map(reports),
    userAttrs: attributesFromRows(rows.userAttrs),
    systemAttrs: checkedSystemAttrs(attributesFromRows(rows.systemAttrs)),
    datetimeStart: parseTime(trial.datetime_start),
    datetimeComplete: parseTime(trial.datetime_complete),
  };
}

function internalValue(distribution: Distribution, value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) return broken(`${JSON.stringify(value)} is not a value`);
  if (distribution.kind !== "categorical" && distribution.log && value <= 0) {
    return broken(`${value} is not in its logarithmic domain`);
  }
  return value;
}

const isMap = (value: JsonValue): boolean => typeof value === "object" && value !== null && !Array.isArray(value);
const isNumbers = (value: JsonValue): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === "number");

/** The system attributes that are worked with, and what they must be. */
const SHAPES: Readonly<Record<string, (value: JsonValue) => boolean>> = {
  fixed_params: isMap,
  retry_history: isNumbers,
  [STREAM_ATTRIBUTE]: (value) => isMap(value) && isNumbers((value as { positions: JsonValue }).positions),
};

function checkedSystemAttrs(attributes: Record<string, JsonValue>): Record<string, JsonValue> {
  for (const [key, isRight] of Object.entries(SHAPES)) {
    if (Object.hasOwn(attributes, key) && !isRight(attributes[key])) {
      broken(`attribute ${key}: ${JSON.stringify(attributes[key])} is not what it should be`);
    }
  }
  return attributes;
}
