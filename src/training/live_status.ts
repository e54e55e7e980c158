/** How a run that trains at this moment is getting on: live.json in its folder, for whoever watches from outside. */
import { join } from "node:path";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import type { Activity } from "../gpu/activity.ts";
import type { Reporter, TrainingState } from "./reporter.ts";

export const LIVE_FILE = "live.json";

/** Milliseconds between two writings. */
const INTERVAL_MS = 2000;

/** With names as in the file. */
export interface LiveStatus {
  pid: number;
  host: string;
  /** ISO 8601. A status that has not been renewed for long is that of a process that was killed. */
  updated_at: string;
  adapter: string;
  /** The folds of this sitting, in order. */
  folds: number[];
  /** The fold under way; null before the first step. */
  fold: number | null;
  epoch: number | null;
  epochs: number | null;
  /** Of this fold's optimizer steps, if it is not stopped early. */
  step: number | null;
  steps: number | null;
  samples_per_second: number | null;
  /** Seconds to the end of the sitting, if no fold is stopped early; null before anything can be said. */
  eta_seconds: number | null;
  /** Share of the last seconds in which the device had work. */
  device_busy: number;
  /** Device memory that the training takes. */
  device_bytes: number;
}

export interface LiveStatusWriter {
  /** Tells what is reported and passes it on. */
  readonly reporter: Reporter;
  /** The process no longer works on the run: the file goes. */
  close(): Promise<void>;
}

export function writeLiveStatus(
  folder: string,
  { gpu, folds, bytes, reporter }: {
    gpu: { name: string; activity: Activity };
    folds: readonly number[];
    bytes: number;
    reporter: Reporter;
  },
): LiveStatusWriter {
  const path = join(folder, LIVE_FILE);
  const busy = busyShare(gpu.activity);
  let state: TrainingState | null = null;
  let first: { at: number; left: number } | null = null;

  /** Optimizer steps to the end of the sitting, all folds taken to be as long as this one. */
  const stepsLeft = ({ fold, step, steps }: TrainingState) =>
    steps - step + steps * (folds.length - 1 - folds.indexOf(fold));

  function eta(): number | null {
    if (state === null || first === null) return null;
    const left = stepsLeft(state);
    const done = first.left - left;
    return done <= 0 ? null : left * (performance.now() - first.at) / 1000 / done;
  }

  let writing = Promise.resolve();
  const write = () => {
    const status: LiveStatus = {
      pid: Deno.pid,
      host: Deno.hostname(),
      updated_at: new Date().toISOString(),
      adapter: gpu.name,
      folds: [...folds],
      fold: state?.fold ?? null,
      epoch: state?.epoch ?? null,
      epochs: state?.epochs ?? null,
      step: state?.step ?? null,
      steps: state?.steps ?? null,
      samples_per_second: state?.samplesPerSecond ?? null,
      eta_seconds: eta(),
      device_busy: busy(),
      device_bytes: bytes,
    };
    // A training does not end because nobody can see how it is getting on.
    writing = writing.then(() => writeFileAtomic(path, JSON.stringify(status, null, 2) + "\n")).catch(() => {});
  };
  write();
  const timer = setInterval(write, INTERVAL_MS);
  return {
    reporter: {
      ...reporter,
      training(next) {
        state = next;
        first ??= { at: performance.now(), left: stepsLeft(next) };
        reporter.training(next);
      },
    },
    async close() {
      clearInterval(timer);
      await writing;
      await Deno.remove(path).catch(() => {});
    },
  };
}

/** The share of the time since the last call in which the device had work, as far as the host can tell. */
export function busyShare(activity: Activity, clock: () => number = () => performance.now()): () => number {
  let since = clock();
  let idle = activity.idleMilliseconds();
  return () => {
    const [now, idleNow] = [clock(), activity.idleMilliseconds()];
    const share = now === since ? 0 : 1 - (idleNow - idle) / (now - since);
    [since, idle] = [now, idleNow];
    return Math.min(Math.max(share, 0), 1);
  };
}
