/** `train`: K-fold training, all folds or one. */
import { createStopwatch } from "../bench/stopwatch.ts";
import { duration, epochsText, percent } from "../formats/human.ts";
import type { Gpu } from "../gpu/device.ts";
import { crossValidate } from "../training/cross_validation.ts";
import type { Metrics } from "../training/metrics.ts";
import { settingsInVain } from "../training/run.ts";
import { createStartup } from "../training/startup.ts";
import { type Summary, SUMMARY_METRICS } from "../training/summary.ts";
import { openConfiguredGpu, resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { createReporter, printTable } from "./terminal.ts";
import { openTrainingTracker } from "./track.ts";

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

const cell = (value: number | null): string => value === null || Number.isNaN(value) ? "–" : value.toFixed(4);
const cells = (metrics: Pick<Metrics, typeof SUMMARY_METRICS[number]>): string[] =>
  SUMMARY_METRICS.map((name) => cell(metrics[name]));

/** Metrics per fold, their mean, those over all pairs, and per criterion. */
export function printSummary({ folds, mean, std, overall, per_criterion }: Summary): void {
  const names = SUMMARY_METRICS.map((name) => name === "f1" ? "F1" : name === "auc" ? "AUC" : name);
  printTable(["fold", "best epoch", ...names], [
    ...folds.map(({ fold, best_epoch, metrics }) => [`${fold}`, epochsText(best_epoch), ...cells(metrics)]),
    ["mean", "", ...SUMMARY_METRICS.map((name) => cell(mean[name]))],
    ["std", "", ...SUMMARY_METRICS.map((name) => cell(std[name]))],
    ["all pairs", "", ...cells(overall)],
  ]);
  printTable(
    ["criterion", "pairs", ...names],
    Object.entries(per_criterion).map(([id, metrics]) => [id, `${metrics.count}`, ...cells(metrics)]),
  );
}
