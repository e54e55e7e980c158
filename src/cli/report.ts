/** `report`: what a run or a study has come to, as Markdown, as one HTML page and as charts. */
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { folderName } from "../formats/folder_name.ts";
import { writeRunReport } from "../report/run/run_report.ts";
import { writeStudyReport } from "../report/study/study_report.ts";
import { RECORD_FILE } from "../training/run_record.ts";
import { resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { existingStudy, hasStudy, openExistingStorage } from "./study_storage.ts";
import { printTable } from "./terminal.ts";

type ReportOptions = CommonOptions & { output?: string };

export async function report(target: string | undefined, more: string[], options: ReportOptions): Promise<void> {
  const isFolder = target !== undefined && await exists(target);
  const isOverride = target !== undefined && !isFolder && /^[+~]|=/.test(target);
  const overrides = isOverride ? [target, ...more] : more;
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const { output_dir: run, hpo } = config;
  if (target !== undefined && !isOverride) {
    if (isFolder || target.includes("/")) await reportRun(target, options);
    else await reportStudy({ ...hpo, study_name: target }, options);
  } else if (overrides.some((override) => /^\+{0,2}output_dir=/.test(override))) await reportRun(run, options);
  else if (await exists(join(run, RECORD_FILE)) && !await hasStudy(hpo)) await reportRun(run, options);
  else await reportStudy(hpo, options);
}

const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false);

async function reportRun(run: string, { output, quiet }: ReportOptions): Promise<void> {
  sayWhere(await writeRunReport(run, output), quiet);
}

async function reportStudy({ storage: url, study_name }: Config["hpo"], options: ReportOptions): Promise<void> {
  const storage = await openExistingStorage(url);
  try {
    const { studyName } = await existingStudy(storage, study_name);
    const folder = options.output ?? join("outputs", "report", folderName(studyName));
    const { importances } = await writeStudyReport({ storage, studyName }, folder);
    printTable(["parameter", "importance"], importances.map(([name, share]) => [name, share.toFixed(4)]));
    sayWhere(folder, options.quiet);
  } finally {
    await storage.close();
  }
}

function sayWhere(folder: string, quiet = false): void {
  if (!quiet) console.error(`written to ${folder}: open ${join(folder, "report.html")}`);
}
