/** `train`: K-fold training, all folds or one; with -m, a run for each combination of a sweep. */
import { createStopwatch } from "../bench/stopwatch.ts";
import type { Config } from "../config/config.ts";
import { duration, percent } from "../formats/human.ts";
import type { Gpu } from "../gpu/device.ts";
import { crossValidate } from "../training/cross_validation.ts";
import { settingsInVain } from "../training/run.ts";
import { createStartup } from "../training/startup.ts";
import type { Summary } from "../training/summary.ts";
import { openConfiguredGpu, resolveConfig } from "./context.ts";
import { multirun } from "./multirun.ts";
import type { CommonOptions } from "./options.ts";
import { printSummary } from "./summary_tables.ts";
import { createReporter, type TerminalReporter } from "./terminal.ts";
import { openTrainingTracker } from "../tracking/training_tracker.ts";

type TrainOptions = CommonOptions & { fold?: number; multirun?: boolean };

export async function train(overrides: string[], options: TrainOptions, signal: AbortSignal): Promise<void> {
  const device = openedOnce();
  try {
    if (options.multirun) {
      await multirun(overrides, options, (config, reporter) => {
        const began = performance.now();
        return trainRun(config, { ...options, reporter, signal, device, now: () => performance.now() - began });
      });
      return;
    }
    const config = resolveConfig(overrides, options);
    if (config) printSummary(await trainRun(config, { ...options, reporter: createReporter(options), signal, device }));
  } finally {
    device.close();
  }
}

interface Device {
  open(config: Config): Promise<Gpu>;
  close(): void;
}

/** Runs with the same `gpu.*` share a device, and the kernels that are compiled on it; one that has failed is left. */
function openedOnce(): Device {
  let opened: { gpu: Gpu; settings: string } | undefined;
  const close = () => {
    opened?.gpu.close();
    opened = undefined;
  };
  return {
    close,
    async open(config) {
      const settings = JSON.stringify([config.gpu, config.training.optimization.use_torch_compile]);
      if (opened?.settings !== settings) {
        close();
        opened = { gpu: await openConfiguredGpu(config), settings };
      }
      return opened!.gpu;
    },
  };
}

/** Trains one run, and takes the reporter off the screen. */
async function trainRun(
  config: Config,
  { fold, reporter, signal, device, now }: {
    fold?: number;
    reporter: TerminalReporter;
    signal: AbortSignal;
    device: Device;
    /** Milliseconds since the run was asked for; absent: since the process began. */
    now?: () => number;
  },
): Promise<Summary> {
  const started = performance.now();
  const startup = createStartup(reporter, now);
  const tracker = await openTrainingTracker(config, reporter);
  let summary: Summary;
  let busy: number | null = null;
  try {
    startup.ended("program");
    reporter.working("opening the device");
    const gpu = await device.open(config);
    startup.ended("device");
    reporter.info(`${config.experiment_name} on ${gpu.name}`);
    for (const line of settingsInVain(config)) reporter.info(line);
    const stopwatch = createStopwatch(gpu);
    busy = await stopwatch.busy(async () => {
      summary = await crossValidate(stopwatch.gpu, config, {
        fold,
        reporter: startup.reporter,
        recorder: tracker,
        signal,
        startup,
      });
    });
  } catch (error) {
    tracker?.failed(error);
    device.close();
    throw error;
  } finally {
    await tracker?.close();
    reporter.close();
  }
  if (busy !== null) reporter.info(`the device was busy ${percent(busy)} of the time from its first to its last work`);
  reporter.info(`done in ${duration((performance.now() - started) / 1000)}; everything is in ${config.output_dir}`);
  return summary!;
}
