/** `best`: the best trials of a study, and their configurations as files. */
import { join } from "node:path";
import { type Config, printConfig } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { paramText } from "../formats/human.ts";
import { withParams } from "../search/search_space.ts";
import { storedConfig } from "../search/stored_config.ts";
import { constraintViolation, type FrozenTrial } from "../studies/frozen_trial.ts";
import { resolveConfig } from "./context.ts";
import type { CommonOptions } from "./main.ts";
import { existingStudy, openExistingStorage } from "./study_storage.ts";
import { printTable } from "./terminal.ts";

export async function best(
  overrides: string[],
  options: CommonOptions & { top: number; output?: string },
): Promise<void> {
  const asked = resolveConfig(overrides, options);
  if (!asked) return;
  const { study_name: studyName } = asked.hpo;
  const storage = await openExistingStorage(asked.hpo.storage);
  try {
    const study = await existingStudy(storage, studyName);
    const ranked = rank(await storage.trials(study.studyId), study.directions[0]).slice(0, options.top);
    if (ranked.length === 0) throw new EntailError("data", `study ${studyName} has no completed trial yet`);
    const folder = options.output ?? join("outputs", "best", studyName);
    const config = storedConfig(study.userAttrs) ?? asked;
    for (const [index, trial] of ranked.entries()) {
      const text =
        `# Trial ${trial.number} of study ${studyName}, value ${trial.value}: train --config-dir with this folder.\n`;
      const file = join(folder, `${index + 1}`, "config.yaml");
      await writeFileAtomic(file, text + printConfig(trialConfig(config, trial, `${studyName}_best_${index + 1}`)));
    }
    const names = [...new Set(ranked.flatMap(({ params }) => Object.keys(params)))];
    printTable(
      ["rank", "trial", "value", ...names],
      ranked.map(({ number, value, params }, index) => [
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

/** COMPLETE trials that violate no constraint, the best first, of equals the earlier. */
function rank(trials: readonly FrozenTrial[], direction: string): FrozenTrial[] {
  const sign = direction === "maximize" ? -1 : 1;
  return trials
    .filter((trial) => trial.state === "COMPLETE" && trial.value !== null && constraintViolation(trial) === 0)
    .sort((a, b) => sign * (a.value! - b.value!) || a.number - b.number);
}

/** What the trial trained with, as a run of its own that overwrites nobody's files. */
function trialConfig(config: Config, trial: FrozenTrial, name: string): Config {
  const outputDir = join("outputs", name);
  return {
    ...withParams(config, trial.params),
    experiment_name: name,
    output_dir: outputDir,
    checkpoint_dir: join(outputDir, "checkpoints"),
    resume: false,
  };
}
