/** `eval`: the best checkpoints of a training run on their validation folds. */
import { join } from "node:path";
import { composeConfig, composeTree, differences, setByPath, settingsOf } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { scoreRun, summariseRun } from "../training/evaluate_run.ts";
import { EVALUATION_FILE, loadRun, type OpenRun } from "../training/run_folder.ts";
import { settingDifferences } from "../training/run_record.ts";
import type { Summary } from "../training/summary.ts";
import { checkConfigOptions, printAsked } from "./config_info.ts";
import { openConfiguredGpu } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { say } from "./say.ts";
import { printSummary } from "./summary_tables.ts";
import { createReporter, printLine } from "./terminal.ts";

interface EvalOptions extends CommonOptions {
  fold?: number;
  json?: boolean;
}

export async function evaluate(overrides: string[], options: EvalOptions): Promise<void> {
  checkConfigOptions(options);
  const run = await runToEvaluate(overrides, options);
  if (printAsked(run.config, composeTree(overrides, options), overrides, { ...options, resolve: true })) return;
  const reporter = createReporter(options);
  reporter.working("reading the run and compiling kernels");
  let gpu: Gpu | undefined;
  try {
    gpu = await openConfiguredGpu(run.config);
    const summary = summariseRun(run, await scoreRun(gpu, run, { fold: options.fold, reporter }));
    reporter.close();
    await keep(run, summary);
    if (options.json) printLine(JSON.stringify(summary));
    else printSummary(summary);
  } finally {
    reporter.close();
    gpu?.close();
  }
}

/**
 * Writes what is printed into the run's folder, with the settings that are other ones than in training. A folder that
 * cannot be written to is no reason to print nothing.
 */
async function keep({ config, record }: OpenRun, summary: Summary): Promise<void> {
  const settings = Object.fromEntries(settingDifferences(record, config).map(({ key, is }) => [key, is]));
  const path = join(config.output_dir, EVALUATION_FILE);
  try {
    await writeFileAtomic(path, JSON.stringify({ settings, ...summary }, null, 2) + "\n");
  } catch (error) {
    if (!(error instanceof EntailError)) throw error;
    say(`not kept: ${error.message}`);
  }
}

/** What may be other than in the run: places, and what changes only the speed, the rounding or the judgement. */
const MAY_BE_SET =
  /^(data\.(groundtruth_csv|criteria_json)|checkpoint_dir|training\.(eval_batch_size|num_workers|optimization\.(precision|use_bf16))|model\.positive_threshold|evaluation\.(agg_type|lse_tau|top_m|calibration|threshold_mode|threshold_global_init)|gpu\..*)$/;
/** What has no part in an evaluation. */
const IGNORED =
  /^(output_dir|checkpoint_dir|experiment_name|resume|overwrite|data\.(annotations_csv|teacher_scores)|model\.model_name|model\.architecture\.tokenizer|augmentation\.model_name|(mlflow|hpo|distributed)\..*)$/;

/** The run in `output_dir`, with what this command line sets. */
async function runToEvaluate(overrides: string[], { configDir, configName }: CommonOptions): Promise<OpenRun> {
  const asked = composeConfig(overrides, { configDir, configName });
  const { config, record } = await loadRun(asked.output_dir);
  const usual = composeConfig([], { configDir, configName });
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
