/** How Optuna writes a trial into rows, and back. */

import { EntailError } from "../errors.ts";
import { type Distribution, distributionFromJson, type ParamValue, toExternal } from "./distributions.ts";
import type { FrozenTrial, TrialState } from "./frozen_trial.ts";
import { type JsonValue, parsePythonJson } from "./python_text.ts";
import type { SqlRow } from "./sql_driver.ts";

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
  return new Date(`${match[1]}T${match[2]}Z`);
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

export function attributesFromRows(rows: readonly SqlRow[]): Record<string, JsonValue> {
  const attributes: Record<string, JsonValue> = {};
  for (const row of rows) {
    const text = String(row.value_json);
    try {
      attributes[String(row.key)] = parsePythonJson(text);
    } catch {
      throw new EntailError("data", `the attribute ${row.key} in the study's database is not JSON: ${text}`);
    }
  }
  return attributes;
}

export function trialFromRows(rows: TrialRows): FrozenTrial {
  const { trial } = rows;
  if (!STATES.includes(String(trial.state))) {
    throw new EntailError("data", `trial ${trial.number} in the study's database has the unknown state ${trial.state}`);
  }
  const params: Record<string, ParamValue> = {};
  const distributions: Record<string, Distribution> = {};
  const internalParams: Record<string, number> = {};
  for (const row of rows.params) {
    const name = String(row.param_name);
    const distribution = distributionFromJson(String(row.distribution_json));
    distributions[name] = distribution;
    internalParams[name] = Number(row.param_value);
    params[name] = toExternal(distribution, Number(row.param_value));
  }
  const values: number[] = [];
  for (const row of rows.values) values[Number(row.objective)] = valueFromColumns(row.value, row.value_type);
  const reports = rows.intermediateValues.map((row): [number, number] => {
    return [Number(row.step), valueFromColumns(row.intermediate_value, row.intermediate_value_type)];
  });
  return {
    trialId: Number(trial.trial_id),
    number: Number(trial.number),
    state: trial.state as TrialState,
    value: values.length > 0 ? values[0] : null,
    values: values.length > 0 ? values : null,
    params,
    distributions,
    internalParams,
    intermediateValues: new Map(reports),
    userAttrs: attributesFromRows(rows.userAttrs),
    systemAttrs: attributesFromRows(rows.systemAttrs),
    datetimeStart: parseTime(trial.datetime_start),
    datetimeComplete: parseTime(trial.datetime_complete),
  };
}
