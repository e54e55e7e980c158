/** `train`: K-fold training, all folds or one. */
import { createStopwatch } from "../bench/stopwatch.ts";
import { duration, percent } from "../formats/human.ts";
import type { Gpu } from "../gpu/device.ts";
import { openTrainingTracker } from "../tracking/training_tracker.ts";
import { crossValidate } from "../training/cross_validation.ts";
import { settingsInVain } from "../training/run.ts";
import { createStartup } from "../training/startup.ts";
import type { Summary } from "../training/summary.ts";
import { openConfiguredGpu, resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { printSummary } from "./summary_tables.ts";
import { createReporter } from "./terminal.ts";

export async function train(
  overrides: string[],
  options: CommonOptions & { fold?: number },
  signal: AbortSignal,
): Promise<void> {
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const started = performance.now();
  const reporter = createReporter(options);
  const startup = createStartup(reporter);
  const tracker = await openTrainingTracker(config, reporter);
  let gpu: Gpu | undefined;
  let summary: Summary;
  let busy: number | null = null;
  try {
    startup.ended("program");
    gpu = await openConfiguredGpu(config);
    startup.ended("device");
    reporter.info(`${config.experiment_name} on ${gpu.name}`);
    for (const line of settingsInVain(config)) reporter.info(line);
    const stopwatch = createStopwatch(gpu);
    busy = await stopwatch.busy(async () => {
      summary = await crossValidate(stopwatch.gpu, config, {
        fold: options.fold,
        reporter: startup.reporter,
        recorder: tracker,
        signal,
        startup,
      });
    });
  } catch (error) {
    tracker?.failed(error);
    throw error;
  } finally {
    gpu?.close();
    await tracker?.close();
    reporter.close();
  }
  printSummary(summary!);
  if (busy !== null) reporter.info(`the device was busy ${percent(busy)} of the time from its first to its last work`);
  reporter.info(`done in ${duration((performance.now() - started) / 1000)}; everything is in ${config.output_dir}`);
}
