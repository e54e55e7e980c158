/** `report`: what a study has found, as Markdown, as one HTML page and as charts. */
import { join } from "node:path";
import { folderName } from "../formats/folder_name.ts";
import { writeStudyReport } from "../report/study/study_report.ts";
import { resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { existingStudy, openExistingStorage } from "./study_storage.ts";
import { printTable } from "./terminal.ts";

export async function report(overrides: string[], options: CommonOptions & { output?: string }): Promise<void> {
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const storage = await openExistingStorage(config.hpo.storage);
  try {
    const { studyName } = await existingStudy(storage, config.hpo.study_name);
    const folder = options.output ?? join("outputs", "report", folderName(studyName));
    const { importances } = await writeStudyReport({ storage, studyName }, folder);
    printTable(["parameter", "importance"], importances.map(([name, share]) => [name, share.toFixed(4)]));
    if (!options.quiet) console.error(`written to ${folder}: open ${join(folder, "report.html")}`);
  } finally {
    await storage.close();
  }
}
