/** Timing a program by the device's own clock, once it is up. */
import type { Gpu } from "../gpu/device.ts";
import type { Executable } from "../gpu/program.ts";
import { raiseClock } from "./clock.ts";
import { median } from "./median.ts";

export interface Patience {
  warmUps: number;
  /** Runs to take the median of, fewer where they take long. */
  runs: number;
  /** Time enough for a slow program. */
  enoughMs: number;
  /** What takes longer than this in its first run is not worth another. */
  cutoffMs?: number;
}

const FEWEST_RUNS = 3;

/** Median milliseconds of a run. */
export async function timeProgram<Sizes>(
  gpu: Gpu,
  program: Executable<Sizes>,
  sizes: Sizes,
  { warmUps, runs, enoughMs, cutoffMs = Infinity }: Patience,
): Promise<number> {
  const time = async () =>
    gpu.hasTimestamps
      ? (await program.profile(sizes)).reduce((sum, { nanoseconds }) => sum + nanoseconds, 0) / 1e6
      : await hostTime(gpu, () => program.run(sizes));
  await raiseClock(gpu);
  const first = await time();
  if (first > cutoffMs) return first;
  await repeated(time, warmUps - 1, enoughMs);
  return median(await repeated(time, runs, enoughMs));
}

/** `most` times, or as many as take long enough. */
async function repeated(time: () => Promise<number>, most: number, enoughMs: number): Promise<number[]> {
  const times: number[] = [];
  let total = 0;
  while (times.length < most && (times.length < FEWEST_RUNS || total < enoughMs)) {
    times.push(await time());
    total += times[times.length - 1];
  }
  return times;
}

/** By the host's clock: many calls between two waits, since a wait alone can take 10 ms. */
export async function hostTime({ device: { queue } }: Gpu, call: () => void): Promise<number> {
  const calls = 50;
  await queue.onSubmittedWorkDone();
  const start = performance.now();
  for (let i = 0; i < calls; i++) call();
  await queue.onSubmittedWorkDone();
  return (performance.now() - start) / calls;
}
