/** The library: everything that the commands do, from a program. Names follow transformers and Optuna in camelCase. */
export { EntailError } from "./src/errors.ts";
export { composeConfig, type Config, loadConfigFile, printConfig } from "./src/config/config.ts";
export { type Gpu, type GpuOptions, openGpu } from "./src/gpu/device.ts";
export { CrossEncoder, type CrossEncoderOptions } from "./src/training/cross_encoder.ts";
export type { TextPair, TextScore } from "./src/training/scorer.ts";
export { crossValidate, type CrossValidateOptions } from "./src/training/cross_validation.ts";
export type { FoldSummary, Summary } from "./src/training/summary.ts";
export { evaluateRun } from "./src/training/evaluate_run.ts";
export { loadRun, type OpenRun } from "./src/training/run_folder.ts";
export type { Metrics } from "./src/training/metrics.ts";
export { type Reporter, silentReporter } from "./src/training/reporter.ts";
export { prepare, type PrepareOptions, type PrepareSummary } from "./src/dataset/prepare.ts";
export {
  createStudy,
  type CreateStudyOptions,
  loadStudy,
  Study,
  type StudyOptions,
  type TellOptions,
} from "./src/studies/study.ts";
export { Trial, TrialPruned } from "./src/studies/trial.ts";
export type { FrozenTrial } from "./src/studies/frozen_trial.ts";
export { TPESampler, type TPESamplerOptions } from "./src/studies/tpe.ts";
export { RandomSampler } from "./src/studies/random_sampler.ts";
export { HyperbandPruner, type HyperbandPrunerOptions } from "./src/studies/hyperband_pruner.ts";
export { SuccessiveHalvingPruner } from "./src/studies/successive_halving_pruner.ts";
export { MedianPruner, type MedianPrunerOptions } from "./src/studies/median_pruner.ts";
export { NopPruner } from "./src/studies/nop_pruner.ts";
export { openStorage } from "./src/studies/open_storage.ts";
export type { Storage, StudyRecord } from "./src/studies/storage.ts";
export { runStudy, type RunStudyOptions, type StudyObserver } from "./src/search/run_study.ts";
export { type StudyOverview, studyOverviews } from "./src/search/overview.ts";
export { type BestTrial, bestTrials } from "./src/search/best_trials.ts";
export { paramImportances } from "./src/studies/importance.ts";
export { type StudyReport, writeStudyReport } from "./src/report/study_report.ts";
