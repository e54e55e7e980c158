/** `eval`: the best checkpoints of a training run on their validation folds. */
import { join } from "node:path";
import { composeConfig, type Config, differences, loadConfigFile, printConfig, setByPath } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { evaluateRun } from "../training/evaluate_run.ts";
import { openConfiguredGpu } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { createReporter } from "./terminal.ts";
import { printSummary } from "./train.ts";

export async function evaluate(overrides: string[], options: CommonOptions & { fold?: number }): Promise<void> {
  const config = runConfig(overrides, options);
  if (options.cfg === "job") return console.log(printConfig(config, { shown: true }).trimEnd());
  const gpu = await openConfiguredGpu(config);
  const reporter = createReporter(options);
  try {
    const summary = await evaluateRun(gpu, config, { fold: options.fold, reporter });
    reporter.close();
    printSummary(summary);
  } finally {
    reporter.close();
    gpu.close();
  }
}

/** The configuration that the run in `output_dir` wrote, with what this command line changes. */
function runConfig(overrides: string[], { configDir }: CommonOptions): Config {
  const asked = composeConfig(overrides, { configDir });
  const file = join(asked.output_dir, "config.yaml");
  let config: Config;
  try {
    config = loadConfigFile(file);
  } catch (error) {
    if (!(error instanceof EntailError) || !/no such file/.test(error.message)) throw error;
    throw new EntailError("data", `${file}: no such file; train first, or set output_dir to that of a run`, {
      cause: error,
    });
  }
  const changed = differences(composeConfig([], { configDir }), asked);
  const valueOf = (key: string) =>
    key.split(".").reduce<unknown>((value, part) => (value as Record<string, unknown>)[part], asked);
  return changed.reduce(
    (result, key) => setByPath(result, key, valueOf(key) as Parameters<typeof setByPath>[2]),
    config,
  );
}
