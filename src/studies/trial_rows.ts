/** The trials of a study as a table. */
import type { FrozenTrial } from "./frozen_trial.ts";
import type { JsonValue } from "./python_text.ts";

/** A row: its columns have the names of Optuna's `trials_dataframe`. */
export type TrialRow = Record<string, JsonValue | Date>;

/**
 * Columns `number`, `value` (one for each name in `metricNames`, or of each objective, where there are such),
 * `datetime_start`, `datetime_complete`, `duration` (seconds), `params_…`, `user_attrs_…`, `system_attrs_…` and `state`, in
 * this order, those of a group by name. Every row has every column; null where a trial has no such value.
 */
export function trialRows(trials: readonly FrozenTrial[], metricNames: readonly string[] | null = null): TrialRow[] {
  const objectives = Math.max(1, ...trials.map(({ values }) => values?.length ?? 1));
  const values = metricNames ?? (objectives === 1 ? null : Array.from({ length: objectives }, (_, i) => `${i}`));
  const group = objectives === 1 ? "value" : "values";
  const rows = trials.map((trial): TrialRow => {
    const { number, datetimeStart, datetimeComplete, params, userAttrs, systemAttrs, state } = trial;
    return {
      number,
      ...(values === null
        ? { value: trial.value }
        : Object.fromEntries(values.map((name, i) => [`${group}_${name}`, trial.values?.[i] ?? null]))),
      datetime_start: datetimeStart,
      datetime_complete: datetimeComplete,
      duration: datetimeStart && datetimeComplete
        ? (datetimeComplete.getTime() - datetimeStart.getTime()) / 1000
        : null,
      ...prefixed("params_", params),
      ...prefixed("user_attrs_", userAttrs),
      ...prefixed("system_attrs_", systemAttrs),
      state,
    };
  });
  const columns = columnsOf(rows);
  return rows.map((row) => Object.fromEntries(columns.map((column) => [column, row[column] ?? null])));
}

const prefixed = (prefix: string, values: Readonly<Record<string, JsonValue>>): TrialRow =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));

const GROUPS = ["params_", "user_attrs_", "system_attrs_"];

/** Those of all rows: the fixed ones in their order, those of a group sorted between them. */
function columnsOf(rows: readonly TrialRow[]): string[] {
  const all = [...new Set(rows.flatMap(Object.keys))];
  const groupOf = (column: string) => GROUPS.findIndex((prefix) => column.startsWith(prefix));
  const fixed = all.filter((column) => groupOf(column) < 0 && column !== "state");
  const grouped = GROUPS.flatMap((_, group) => all.filter((column) => groupOf(column) === group).sort());
  return [...fixed, ...grouped, ...(all.length === 0 ? [] : ["state"])];
}
