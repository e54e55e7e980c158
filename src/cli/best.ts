/** `best`: the best trials of a study, and their configurations as files. */
import { join } from "node:path";
import { printConfig } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { folderName } from "../formats/folder_name.ts";
import { paramText } from "../formats/human.ts";
import { bestTrials } from "../search/best_trials.ts";
import { resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { existingStudy, namesStudy, openExistingStorage } from "./study_storage.ts";
import { printTable } from "./terminal.ts";

export async function best(
  overrides: string[],
  options: CommonOptions & { top: number; output?: string },
): Promise<void> {
  const asked = resolveConfig(overrides, options);
  if (!asked) return;
  const storage = await openExistingStorage(asked.hpo.storage);
  try {
    const study = await existingStudy(storage, asked.hpo.study_name, namesStudy(overrides));
    const { studyName } = study;
    const ranked = bestTrials(study, await storage.trials(study.studyId), options.top, asked);
    if (ranked.length === 0) throw new EntailError("data", `study ${studyName} has no completed trial yet`);
    const folder = options.output ?? join("outputs", "best", folderName(studyName));
    for (const [index, { trial, config }] of ranked.entries()) {
      const text = `# Trial ${trial.number} of study ${
        studyName.replace(/\p{Cc}+/gu, " ")
      }, value ${trial.value}: train --config-dir with this folder.\n`;
      await writeFileAtomic(join(folder, `${index + 1}`, "config.yaml"), text + printConfig(config));
    }
    const names = [...new Set(ranked.flatMap(({ trial }) => Object.keys(trial.params)))];
    printTable(
      ["rank", "trial", "value", ...names],
      ranked.map(({ trial: { number, value, params } }, index) => [
        `${index + 1}`,
        `${number}`,
        value!.toFixed(4),
        ...names.map((name) => name in params ? paramText(params[name]) : "–"),
      ]),
    );
    if (!options.quiet) console.error(`written to ${folder}: train one with train --config-dir ${join(folder, "1")}`);
  } finally {
    await storage.close();
  }
}
