/** What a study is about, in the words of the configuration that it was last run with. */
import { percent } from "../formats/human.ts";
import type { StudyRecord } from "../studies/storage.ts";
import { storedConfig } from "./stored_config.ts";

export interface StudyTerms {
  /** What a trial's value is. */
  objective: string;
  /** What a trial's intermediate values are. */
  reported: string;
  hasPruner: boolean;
}

/** Null where the study does not carry a configuration. */
export function studyTerms(record: StudyRecord): StudyTerms | null {
  const config = storedConfig(record);
  if (config === null) return null;
  const { hpo: { hpo_mode: { mode, validation_fraction }, pruner }, kfold } = config;
  return {
    objective: mode === "kfold"
      ? `mean best F1 over ${kfold.n_splits} folds`
      : `best F1 on the ${percent(validation_fraction)} held out`,
    reported: mode === "kfold"
      ? "after each fold the mean of the folds' best F1 so far"
      : "the best F1 so far, so that no curve falls",
    hasPruner: pruner.type !== "none",
  };
}
