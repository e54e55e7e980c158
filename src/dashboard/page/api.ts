/** What the server tells, as it is used here. */
import type { RunComparison } from "../../training/compare_runs.ts";
import type { LogEntry } from "../../training/metrics_log.ts";
import type { BrokenStudy, StudyPlace, StudySummary, TrialRow } from "../rows.ts";
import type { BrokenRun, RunSummary } from "../run_feed.ts";
import type { RunLogs } from "../run_logs.ts";

export type { FoldLogs } from "../run_logs.ts";
export type { LogEntry, RunComparison, RunLogs, RunSummary, StudyPlace, StudySummary, TrialRow };
export type AnyRun = RunSummary | BrokenRun;
export type AnyStudy = StudySummary | BrokenStudy;

/** What the stream tells. */
export type LiveEvent =
  | { event: "study"; data: AnyStudy }
  | { event: "study_removed"; data: StudyPlace }
  | { event: "trials"; data: StudyPlace & { trials: TrialRow[] } }
  | { event: "run"; data: AnyRun }
  | { event: "run_removed"; data: { run: string } }
  | { event: "log"; data: { run: string; fold: number | null; reset: boolean; entries: LogEntry[] } }
  | { event: "ready"; data: Record<string, never> };

/** Numbers that JSON has not come as text: values, and what stands by step or by place. */
function revived(key: string, value: unknown): unknown {
  const isNumber = value === "NaN" || value === "Infinity" || value === "-Infinity";
  return isNumber && /^(value|\d+)$/.test(key) ? Number(value) : value;
}

export const parse = (text: string): unknown => JSON.parse(text, revived);

async function get<Kind>(path: string): Promise<Kind> {
  const response = await fetch(path);
  const body = await response.text();
  if (response.ok) return parse(body) as Kind;
  throw new Error((JSON.parse(body) as { error: string }).error);
}

const studyPath = ({ study_name }: StudyPlace, more = "") => `/api/studies/${encodeURIComponent(study_name)}${more}`;

/** Without intermediate values, unless trials are named. */
export const getTrials = (place: StudyPlace, numbers?: readonly number[]): Promise<TrialRow[]> =>
  get(
    `${studyPath(place, "/trials")}?storage_id=${place.storage_id}&` +
      (numbers === undefined ? "curves=0" : `numbers=${numbers.join(",")}`),
  );

export const getImportances = (place: StudyPlace): Promise<[name: string, share: number][]> =>
  get(`${studyPath(place, "/importances")}?storage_id=${place.storage_id}`);

export const getRun = (run: string): Promise<RunLogs> => get(`/api/runs/${encodeURIComponent(run)}`);

export const getComparison = (runs: readonly string[]): Promise<RunComparison> =>
  get(`/api/compare?${runs.map((run) => `run=${encodeURIComponent(run)}`).join("&")}`);

export const studyReport = ({ study_name, storage_id }: StudyPlace): string =>
  `/report/study/${encodeURIComponent(study_name)}?storage_id=${storage_id}`;

export const runReport = (run: string): string => `/report/run/${encodeURIComponent(run)}`;

/** Places of this page. */
export const studyLink = ({ study_name, storage_id }: StudyPlace): string =>
  `#/study/${storage_id}/${encodeURIComponent(study_name)}`;

export const runLink = (run: string): string => `#/run/${encodeURIComponent(run)}`;

export const compareLink = (runs: readonly string[]): string => `#/compare/${runs.map(encodeURIComponent).join("/")}`;
