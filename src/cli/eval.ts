/** `eval`: the best checkpoints of a training run on their validation folds. */
import { join } from "node:path";
import { composeConfig, differences, printConfig, setByPath, settingsOf } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { comparePredictions } from "../evaluation/comparison.ts";
import type { Gpu } from "../gpu/device.ts";
import { decisionSettings } from "../training/decisions.ts";
import { type EvaluateRunOptions, scoreRun, summariseRun } from "../training/evaluate_run.ts";
import { EVALUATION_FILE, loadRun, type OpenRun } from "../training/run_folder.ts";
import { settingDifferences } from "../training/run_record.ts";
import { crossFittedPredictions, type RunPrediction, type Summary } from "../training/summary.ts";
import { openConfiguredGpu } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { say } from "./say.ts";
import { printComparison, printSummary } from "./summary_tables.ts";
import { createReporter, printLine } from "./terminal.ts";

interface EvalOptions extends CommonOptions {
  fold?: number;
  /** The folder of another run, of the same data and folds. */
  against?: string;
  json?: boolean;
}

export async function evaluate(overrides: string[], options: EvalOptions): Promise<void> {
  const run = await runToEvaluate(overrides, options);
  if (options.cfg === "job") return console.log(printConfig(run.config, { shown: true }).trimEnd());
  const other = options.against === undefined ? null : await otherRun(overrides, options.against, options);
  const gpu = await openConfiguredGpu(run.config);
  const reporter = createReporter(options);
  try {
    const { summary, predictions } = await judge(gpu, run, { fold: options.fold, reporter });
    const against = other && (await judge(gpu, other, { fold: options.fold, reporter })).predictions;
    reporter.close();
    const comparison = against && {
      first: run.config.output_dir,
      second: other.config.output_dir,
      ...comparePredictions(predictions, against, { seed: run.config.seed }),
    };
    const result = comparison ? { ...summary, comparison } : summary;
    await keep(run, result);
    if (options.json) return printLine(JSON.stringify(result));
    printSummary(summary);
    if (comparison) printComparison(comparison);
  } finally {
    reporter.close();
    gpu.close();
  }
}

/**
 * Writes what is printed into the run's folder, with the settings that are other ones than in training. A folder that
 * cannot be written to is no reason to print nothing.
 */
async function keep({ config, record }: OpenRun, result: Summary): Promise<void> {
  const settings = Object.fromEntries(settingDifferences(record, config).map(({ key, is }) => [key, is]));
  const path = join(config.output_dir, EVALUATION_FILE);
  try {
    await writeFileAtomic(path, JSON.stringify({ settings, ...result }, null, 2) + "\n");
  } catch (error) {
    if (!(error instanceof EntailError)) throw error;
    say(`not kept: ${error.message}`);
  }
}

/** The summary of a run, and its predictions as they can be compared: decided by nothing that was chosen on them. */
async function judge(
  gpu: Gpu,
  run: OpenRun,
  options: EvaluateRunOptions,
): Promise<{ summary: Summary; predictions: readonly RunPrediction[] }> {
  const scored = await scoreRun(gpu, run, options);
  const predictions = crossFittedPredictions(scored.predictions, decisionSettings(run.config));
  return { summary: summariseRun(run, scored), predictions };
}

/** What may be other than in the run: places, and what changes only the speed, the rounding or the judgement. */
const MAY_BE_SET =
  /^(data\.(groundtruth_csv|criteria_json)|checkpoint_dir|training\.(eval_batch_size|num_workers|optimization\.(precision|use_bf16))|model\.positive_threshold|evaluation\.(agg_type|lse_tau|top_m|calibration|threshold_mode|threshold_global_init)|gpu\..*)$/;
/** What has no part in an evaluation. */
const IGNORED =
  /^(output_dir|checkpoint_dir|experiment_name|resume|overwrite|data\.(annotations_csv|teacher_scores)|model\.model_name|model\.architecture\.tokenizer|augmentation\.model_name|(mlflow|hpo|distributed)\..*)$/;

/** The run in another folder, with what this command line sets for both. */
async function otherRun(overrides: string[], folder: string, options: CommonOptions): Promise<OpenRun> {
  const shared = overrides.filter((override) => !/^\+{0,2}(output_dir|checkpoint_dir)=/.test(override));
  return await runToEvaluate([...shared, `output_dir=${JSON.stringify(folder)}`], options);
}

/** The run in `output_dir`, with what this command line sets. */
async function runToEvaluate(overrides: string[], { configDir }: CommonOptions): Promise<OpenRun> {
  const asked = composeConfig(overrides, { configDir });
  const { config, record } = await loadRun(asked.output_dir);
  const usual = composeConfig([], { configDir });
  const values = new Map(settingsOf(asked));
  const differing = new Set(differences(config, asked));
  let result = config;
  for (const key of differences(usual, asked)) {
    if (!differing.has(key)) continue;
    // Unless it is named, the folder of checkpoints is the run's own.
    const isDerived = key === "checkpoint_dir" && asked.checkpoint_dir === join(asked.output_dir, "checkpoints");
    if (MAY_BE_SET.test(key) && !isDerived) result = setByPath(result, key, values.get(key)!);
    else if (!IGNORED.test(key)) {
      throw new EntailError("usage", `${key}: is another one in the run in ${asked.output_dir}; leave it out`);
    }
  }
  return { config: result, record };
}
