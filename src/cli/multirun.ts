/** `train -m`: a run for each combination of the values of a sweep, in folders of their own below `output_dir`. */
import { isAbsolute, join, relative } from "node:path";
import { composeConfig, type Config } from "../config/config.ts";
import { type Combination, combinationsOf } from "../config/sweep.ts";
import { EntailError } from "../errors.ts";
import { figure } from "../report/run/verdict_tables.ts";
import { readRecord, settingDifferences } from "../training/run_record.ts";
import type { Summary } from "../training/summary.ts";
import type { CommonOptions } from "./options.ts";
import { createReporter, printTable, type TerminalReporter } from "./terminal.ts";

interface Run extends Combination {
  config: Config;
  summary?: Summary;
  error?: EntailError;
}

/**
 * Trains one run after the other; those that are finished are left as they are. A run that fails does not keep the others
 * from being trained; its error is thrown when they are. Usage errors of any combination come before the first run.
 */
export async function multirun(
  overrides: string[],
  options: CommonOptions,
  train: (config: Config, reporter: TerminalReporter) => Promise<Summary>,
): Promise<void> {
  if (options.cfg || options.info) {
    throw new EntailError("usage", "-m: trains, and does not print the configuration; leave out -m, --cfg or --info");
  }
  const runs = await runsOf(combinationsOf(overrides, options), options);
  const { info } = createReporter(options);
  for (const [at, run] of runs.entries()) {
    const { swept, config } = run;
    const values = Object.entries(swept).map(([key, value]) => ` ${key}=${value}`).join("");
    info(`run ${at + 1} of ${runs.length}, ${config.output_dir}:${values}`);
    try {
      run.summary = await train(config, createReporter(options));
    } catch (error) {
      if (!(error instanceof EntailError) || ["interrupted", "adapter"].includes(error.kind)) throw error;
      run.error = error;
      info(`run ${at + 1} failed: ${error.message}`);
    }
  }
  printRuns(runs);
  const failed = runs.filter(({ error }) => error !== undefined);
  if (failed.length === 0) return;
  const [{ error, config }] = failed;
  const others = failed.length === 1 ? "" : ` (and ${failed.length - 1} more of ${runs.length} runs)`;
  throw new EntailError(error!.kind, `${config.output_dir}${others}: ${error!.message}`, { cause: error });
}

/** Each combination with the folder that it has already, or else with the next free number. */
async function runsOf(combinations: readonly Combination[], options: CommonOptions): Promise<Run[]> {
  const taken = new Set<string>();
  const runs: Run[] = [];
  for (const combination of combinations) {
    const config = composeConfig(combination.overrides, options);
    const { output_dir, checkpoint_dir } = config;
    const folder = await folderOf(config, taken);
    taken.add(folder);
    const inside = relative(output_dir, checkpoint_dir);
    const isInside = !inside.startsWith("..") && !isAbsolute(inside);
    const checkpoints = isInside ? join(folder, inside) : join(checkpoint_dir, relative(output_dir, folder));
    runs.push({ ...combination, config: { ...config, output_dir: folder, checkpoint_dir: checkpoints } });
  }
  return runs;
}

/** `output_dir/K`: the K of the run with these settings, or else the first that is free. */
async function folderOf(config: Config, taken: ReadonlySet<string>): Promise<string> {
  const { output_dir } = config;
  let free: string | undefined;
  for (let number = 0;; number++) {
    const folder = join(output_dir, `${number}`);
    if (taken.has(folder)) continue;
    if (!await Deno.stat(folder).then(() => true, () => false)) {
      free ??= folder;
      // Numbers leave no gap but where somebody has removed a folder.
      if (!await hasLater(output_dir, number)) return free;
      continue;
    }
    const record = await readRecord(folder);
    if (record !== null && settingDifferences(record, config).length === 0) return folder;
  }
}

async function hasLater(root: string, number: number): Promise<boolean> {
  try {
    for await (const { name } of Deno.readDir(root)) if (/^\d+$/.test(name) && Number(name) > number) return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return false;
}

function printRuns(runs: readonly Run[]): void {
  const keys = [...new Set(runs.flatMap(({ swept }) => Object.keys(swept)))];
  printTable(
    ["run", ...keys, "F1", "±", "AUC"],
    runs.map(({ config, swept, summary }) => [
      config.output_dir,
      ...keys.map((key) => swept[key]),
      ...summary ? [summary.mean.f1, summary.std.f1, summary.mean.auc].map(figure) : ["failed", "–", "–"],
    ]),
  );
}
