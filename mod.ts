/**
 * Cross-encoders for posts and criteria, and studies: everything that the commands do, from a program. Names follow
 * transformers, sentence-transformers and Optuna in camelCase. Errors are `EntailError`s of one line.
 *
 * @example Train on pairs in memory, and use the model
 * ```ts
 * import { train } from "@entail/entail";
 *
 * const { model, metrics } = await train(pairs, { model: "microsoft/deberta-v3-base", training: { numEpochs: 3 } });
 * console.log(metrics.f1, await model.predict([["I barely sleep.", "Sleep problems."]]));
 * await model.savePretrained("my-model");
 * ```
 *
 * @example Search
 * ```ts
 * import { createStudy } from "@entail/entail";
 *
 * const study = await createStudy({ storage: "sqlite:///study.db", direction: "maximize" });
 * await study.optimize((trial) => -((trial.suggestFloat("x", -5, 5) - 2) ** 2), { nTrials: 50 });
 * console.log(study.bestParams);
 * ```
 *
 * @module
 */
export { EntailError, type ErrorKind } from "./src/errors.ts";
export { VERSION } from "./src/version.ts";

// Settings.
export { composeConfig, type ComposeOptions, loadConfigFile, printConfig } from "./src/config/config.ts";
export { type CamelCase, type CamelCaseOptions, createConfig, type Options } from "./src/config/options.ts";
export type * from "./src/config/settings.ts";

// The device.
export type { AskedBackend, BackendName } from "./src/gpu/backend.ts";
export { type Gpu, type GpuOptions, openGpu } from "./src/gpu/device.ts";

// Models.
export type { Aggregation, Chunking } from "./src/models/chunking.ts";
export {
  CrossEncoder,
  type CrossEncoderOptions,
  type RankedDocument,
  type RankOptions,
} from "./src/training/cross_encoder.ts";
export type { Precision } from "./src/nn/plan.ts";
export type { AskedPrecision } from "./src/training/precision.ts";
export type { TextPair, TextScore } from "./src/training/scorer.ts";

// Training.
export type { EvidenceCounts } from "./src/dataset/evidence_spans.ts";
export { type GroundtruthOptions, loadGroundtruth, type Pair } from "./src/dataset/groundtruth.ts";
export type { LabelledPair } from "./src/dataset/labelled_pairs.ts";
export { prepare, type PrepareOptions, type PrepareSummary } from "./src/dataset/prepare.ts";
export { openTrainingTracker } from "./src/tracking/training_tracker.ts";
export { crossValidate, type CrossValidateOptions } from "./src/training/cross_validation.ts";
export type { RunSplit } from "./src/training/run_data.ts";
export type { Truncation } from "./src/training/truncation.ts";
export type { EpochEntry, LogEntry, StepEntry } from "./src/training/metrics_log.ts";
export type { RunRecorder } from "./src/training/recorder.ts";
export { type EpochState, type Reporter, silentReporter, type TrainingState } from "./src/training/reporter.ts";
export type { BestEpoch, FoldResult } from "./src/training/state.ts";
export { train, type Trained, type TrainOptions } from "./src/training/train.ts";

// Runs.
export { type ComparedPair, type ComparedRun, compareRuns, type RunComparison } from "./src/training/compare_runs.ts";
export {
  evaluateRun,
  type EvaluateRunOptions,
  type ScoredRun,
  scoreRun,
  summariseRun,
} from "./src/training/evaluate_run.ts";
export { loadRun, type OpenRun } from "./src/training/run_folder.ts";
export { decisionSettings } from "./src/training/decisions.ts";
export type { RunRecord } from "./src/training/run_record.ts";
export type { PairLength } from "./src/training/pair_lengths.ts";
export { type FoldResults, type KeptEvaluation, readRunResults, type RunResults } from "./src/training/run_results.ts";
export { writeRunReport } from "./src/report/run/run_report.ts";

// Evaluation.
export { fitTemperature, probabilityOf, type ScoredLabel } from "./src/evaluation/calibration.ts";
export {
  type ComparablePair,
  comparePredictions,
  type Comparison,
  exactMcNemar,
  type MetricDifference,
} from "./src/evaluation/comparison.ts";
export {
  crossFit,
  type CrossFitted,
  decide,
  type Decision,
  type DecisionSettings,
  fitDecision,
  type ScoredPair,
} from "./src/evaluation/decision.ts";
export { bootstrapIntervals, type BootstrapOptions, type Intervals } from "./src/evaluation/intervals.ts";
export {
  type Confusion,
  type JudgedPair,
  measure,
  METRIC_NAMES,
  type MetricName,
  type Metrics,
} from "./src/evaluation/metrics.ts";
export { bestThreshold, type ProbablePair } from "./src/evaluation/thresholds.ts";
export type { Prediction } from "./src/training/predictions.ts";
export {
  crossFittedPredictions,
  type CrossFittedVerdict,
  type FoldFacts,
  type FoldSummary,
  type RunPrediction,
  type Summary,
  type Verdict,
} from "./src/training/summary.ts";

// Studies.
export { createTrial, type CreateTrialOptions } from "./src/studies/create_trial.ts";
export {
  type CategoricalDistribution,
  categoricalDistribution,
  type Distribution,
  type FloatDistribution,
  floatDistribution,
  type IntDistribution,
  intDistribution,
  type NumericDistribution,
  type ParamValue,
  type SearchSpace,
} from "./src/studies/distributions.ts";
export type { Direction, FrozenTrial, TrialState } from "./src/studies/frozen_trial.ts";
export type { HeartbeatOptions } from "./src/studies/heartbeat.ts";
export { HyperbandPruner, type HyperbandPrunerOptions } from "./src/studies/hyperband_pruner.ts";
export { paramImportances } from "./src/studies/importance.ts";
export { MedianPruner, type MedianPrunerOptions } from "./src/studies/median_pruner.ts";
export { NopPruner } from "./src/studies/nop_pruner.ts";
export { openStorage, type OpenStorageOptions } from "./src/studies/open_storage.ts";
export type { ErrorClass, Objective, OptimizeOptions, StudyCallback } from "./src/studies/optimize.ts";
export type { Pruner, PruningContext, PruningDecision } from "./src/studies/pruner.ts";
export type { JsonValue } from "./src/studies/python_text.ts";
export { RandomStream } from "./src/studies/random_stream.ts";
export { RandomSampler } from "./src/studies/random_sampler.ts";
export { type JointSample, type Sampler, SamplerStreams, type SamplingContext } from "./src/studies/sampler.ts";
export type {
  Storage,
  StoredParam,
  StudyRecord,
  TrialChanges,
  TrialGoal,
  TrialTemplate,
} from "./src/studies/storage.ts";
export {
  createStudy,
  type CreateStudyOptions,
  type EnqueueTrialOptions,
  loadStudy,
  Study,
  type StudyOptions,
} from "./src/studies/study.ts";
export {
  SuccessiveHalvingPruner,
  type SuccessiveHalvingPrunerOptions,
} from "./src/studies/successive_halving_pruner.ts";
export type { TellOptions } from "./src/studies/tell.ts";
export { TPESampler, type TPESamplerOptions } from "./src/studies/tpe.ts";
export { Trial, TrialPruned } from "./src/studies/trial.ts";
export type { TrialRow } from "./src/studies/trial_rows.ts";

// Studies of trainings.
export { type StudyReport, writeStudyReport } from "./src/report/study/study_report.ts";
export { type BestTrial, bestTrials } from "./src/search/best_trials.ts";
export type { TrialObserver } from "./src/search/objective.ts";
export { type StudyOverview, studyOverviews } from "./src/search/overview.ts";
export { runStudy, type RunStudyOptions, type StudyObserver } from "./src/search/run_study.ts";
export { openStudyTracker, type StudyTracker } from "./src/tracking/study_tracker.ts";
