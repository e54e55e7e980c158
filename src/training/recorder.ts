/** Who takes down what a training run does, as a tracking store does. */
import type { Summary } from "./summary.ts";
import type { FoldResult } from "./state.ts";
import type { LogEntry } from "./metrics_log.ts";

/** Told of a run as it goes. Calls return at once, but for `close`. */
export interface RunRecorder {
  /**
   * config.yaml and folds.csv are written; training begins, or goes on with a run that was begun before. `content` has the
   * SHA-256 of what it reads, by the key that names it.
   */
  runStarted(how: { continued: boolean; content: Readonly<Record<string, string>> }): void;
  /** A fold begins, or goes on where its metrics.jsonl ends. */
  foldStarted(fold: number): void;
  /** What goes to the fold's metrics.jsonl. */
  logged(fold: number, entries: readonly LogEntry[]): void;
  /** The fold's predictions and best checkpoint are written. */
  foldEnded(fold: number, result: FoldResult): void;
  /** summary.json is written. */
  runEnded(summary: Summary): void;
  /** The training has ended with an error, or was interrupted. */
  failed?(error: unknown): void;
  /** All is over: sends what is left. Never throws. */
  close?(): Promise<void>;
}
