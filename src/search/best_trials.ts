/** The best trials of a study, each with the configuration that trains what it trained. */
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { folderName } from "../formats/folder_name.ts";
import { type FrozenTrial, rankTrials } from "../studies/frozen_trial.ts";
import type { StudyRecord } from "../studies/storage.ts";
import { withParams } from "./search_space.ts";
import { configOfTrial } from "./stored_config.ts";

/** A trial and what it trained. */
export interface BestTrial {
  /** The trial. */
  trial: FrozenTrial;
  /** A configuration for `entail train`, with the trial's values. */
  config: Config;
}

/**
 * The `top` best trials, the best first. A trial's configuration is the one that its sitting of the study was run with,
 * or `fallback` where the study was made by another program, with the trial's values.
 */
export function bestTrials(
  study: StudyRecord,
  trials: readonly FrozenTrial[],
  top: number,
  fallback: Config,
): BestTrial[] {
  return rankTrials(trials, study.directions[0]).slice(0, top).map((trial, index) => {
    const config = configOfTrial(study, trial) ?? fallback;
    return { trial, config: trialConfig(config, trial, bestName(study.studyName, index + 1)) };
  });
}

/** The name of the run that a best trial's configuration makes. */
export const bestName = (studyName: string, rank: number): string => `${folderName(studyName)}_best_${rank}`;

/** The configuration with a trial's values, as a run of its own that overwrites nobody's files. */
export function trialConfig(config: Config, trial: FrozenTrial, name: string): Config {
  const outputDir = join("outputs", name);
  return {
    ...withParams(config, trial.params),
    experiment_name: name,
    output_dir: outputDir,
    checkpoint_dir: join(outputDir, "checkpoints"),
    resume: "auto",
    overwrite: false,
  };
}
