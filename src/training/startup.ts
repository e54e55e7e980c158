/** Where the time from the command to the first optimizer step goes. */
import type { Reporter } from "./reporter.ts";

export interface Startup {
  /** What has gone on since the stage before is over. */
  ended(stage: string): void;
  /** Tells what `createStartup`'s reporter does, and once, before the first steps, how long they took to come. */
  readonly reporter: Reporter;
}

const inSeconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(1);

/** Counts from the start of the process. */
export function createStartup(reporter: Reporter, now: () => number = () => performance.now()): Startup {
  let stages: string[] | null = [];
  let since = 0;
  const ended = (stage: string) => {
    const at = now();
    stages?.push(`${stage} ${inSeconds(at - since)}`);
    since = at;
  };
  return {
    ended,
    reporter: {
      ...reporter,
      training(state) {
        if (stages) {
          ended("weights and step");
          reporter.info(`first step after ${inSeconds(since)} s: ${stages.join(", ")}`);
          stages = null;
        }
        reporter.training(state);
      },
    },
  };
}
