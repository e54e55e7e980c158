/** What a training run tells whoever watches it. */
export interface Reporter {
  /** One line of text for people. */
  info(line: string): void;
  /** A line that people should see even if they asked for results only: something is lost, nothing has to stop. */
  warn(line: string): void;
  /** What goes on from now on, of which nothing is known but its name, until anything else is told. */
  working(what: string): void;
  /** A stage of known length: pairs tokenized, sequences scored, … Called often; `done` = `total` ends it. */
  progress(stage: string, done: number, total: number): void;
  /** The optimizer steps of a fold; called a few times a second. */
  training(state: TrainingState): void;
  /** An epoch has been evaluated. */
  epoch(state: EpochState): void;
}

/** How far the training of a fold is. */
export interface TrainingState {
  /** From 0. */
  fold: number;
  /** The one under way, from 1. */
  epoch: number;
  /** Those that there may be. */
  epochs: number;
  /** Optimizer steps done in this fold and their number if it is not stopped early. */
  step: number;
  /** See `step`. */
  steps: number;
  /** Of the latest step. */
  loss: number;
  /** Steps of this fold that updated nothing, because fp16 overflowed. */
  skipped: number;
  /** null before the first evaluation. */
  bestF1: number | null;
  /** Pairs trained on. */
  samplesPerSecond: number;
  /** Folds that are trained after this one. */
  foldsLeft: number;
}

/** What an epoch has come to. */
export interface EpochState {
  /** From 0. */
  fold: number;
  /** Epochs done. */
  epoch: number;
  /** Those that there may be. */
  epochs: number;
  /** Mean over its steps. */
  loss: number;
  /** See `TrainingState`. */
  skipped: number;
  /** Mean over the validation pairs. */
  evalLoss: number;
  /** Of the validation pairs. */
  f1: number;
  /** So far. */
  bestF1: number;
  /** Whose that was. */
  bestEpoch: number;
  /** Pairs trained on. */
  samplesPerSecond: number;
  /** Of the fold so far, over all sittings. */
  seconds: number;
  /** The evaluations without a better F1 after which the fold ends here; null where it does not, or ends as planned. */
  stoppedAfter: number | null;
}

/** Says nothing. */
export const silentReporter: Reporter = {
  info() {},
  warn() {},
  working() {},
  progress() {},
  training() {},
  epoch() {},
};

/** What downloading a model tells a reporter. */
export const downloadReport = (reporter: Reporter) => ({
  info: (line: string) => reporter.info(line),
  stage: (name: string) => patiently(reporter, name),
});

/** A stage's progress is shown once it has taken so long. */
const PATIENCE_MS = 2000;

/** Progress that is silent until the stage has taken two seconds. */
export function patiently(reporter: Reporter, stage: string): (done: number, total: number) => void {
  const began = performance.now();
  let shown = false;
  return (done, total) => {
    shown ||= performance.now() - began > PATIENCE_MS;
    if (shown) reporter.progress(stage, done, total);
  };
}
