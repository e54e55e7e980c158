/** `report`: what a run or a study has come to, as Markdown, as one HTML page and as charts. */
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { folderName } from "../formats/folder_name.ts";
import { writeRunReport } from "../report/run/run_report.ts";
import { writeStudyReport } from "../report/study/study_report.ts";
import { RECORD_FILE } from "../training/run_record.ts";
import { resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { existingStudy, hasStudy, namesStudy, openExistingStorage } from "./study_storage.ts";
import { printTable } from "./terminal.ts";

type ReportOptions = CommonOptions & { output?: string };

export async function report(target: string | undefined, more: string[], options: ReportOptions): Promise<void> {
  const isRun = target !== undefined && await holdsRun(target);
  const isOverride = target !== undefined && !isRun && /^[+~]|=/.test(target);
  const overrides = isOverride ? [target, ...more] : more;
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const { output_dir, hpo } = config;
  if (target === undefined || isOverride) {
    const isAskedFor = overrides.some((override) => /^\+{0,2}output_dir=/.test(override));
    if (isAskedFor || await holdsRun(output_dir) && !await hasStudy(hpo)) await reportRun(output_dir, options);
    else await reportStudy(hpo, options, namesStudy(overrides));
    return;
  }
  const study = { ...hpo, study_name: target };
  if (!isRun && !target.includes("/") && (await hasStudy(study) || !await exists(target))) {
    return await reportStudy(study, options);
  }
  if (more.length > 0) throw new EntailError("usage", `${more[0]}: has no part in the report of a run; leave it out`);
  await reportRun(target, options);
}

const holdsRun = (folder: string): Promise<boolean> => exists(join(folder, RECORD_FILE));

const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false);

async function reportRun(run: string, { output, quiet }: ReportOptions): Promise<void> {
  sayWhere(await writeRunReport(run, output), quiet);
}

async function reportStudy(
  { storage: url, study_name }: Config["hpo"],
  options: ReportOptions,
  isNamed = true,
): Promise<void> {
  const storage = await openExistingStorage(url);
  try {
    const { studyName } = await existingStudy(storage, study_name, isNamed);
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
