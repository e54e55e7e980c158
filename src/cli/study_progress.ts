/** What `hpo` shows while it runs: a line per trial, and on a terminal bars for the study and the training under way. */
import pc from "picocolors";
import { duration, paramText } from "../formats/human.ts";
import { OUT_OF_MEMORY } from "../search/objective.ts";
import type { StudyObserver } from "../search/run_study.ts";
import { bestOf, type FrozenTrial, lastStep } from "../studies/frozen_trial.ts";
import type { Study } from "../studies/study.ts";
import type { Reporter } from "../training/reporter.ts";
import { createBars } from "./bars.ts";
import { createReporter } from "./terminal.ts";

/** Seconds between two lines about the trial under way where there is no terminal. */
const PLAIN_SECONDS = 30;

export interface StudyProgress {
  reporter: Reporter;
  observer: StudyObserver;
  /** Takes bars off the screen. */
  close(): void;
}

/** `asked` trials are to run here; null: until the study has `goal` of them. */
export function createStudyProgress(
  options: { quiet?: boolean },
  asked: number | null,
  goal: number,
): StudyProgress {
  if (options.quiet) return { reporter: createReporter(options), observer: {}, close() {} };
  return Deno.stderr.isTerminal() ? barProgress(asked, goal) : lineProgress(asked, goal);
}

const seconds = (trial: FrozenTrial): number =>
  (trial.datetimeComplete!.getTime() - trial.datetimeStart!.getTime()) / 1000;

/** What became of a trial, in the words that logs are searched for. */
export function trialText(study: Study, trial: FrozenTrial): string {
  const best = bestOf(study.trials, study.direction);
  const bestText = best === null ? "" : `  Best F1 ${best.value!.toFixed(4)} (trial ${best.number})`;
  const params = Object.entries(trial.params).map(([name, value]) => `${name}=${paramText(value)}`).join(" ");
  return `trial ${trial.number} ${outcomeText(trial)}${bestText}  ${duration(seconds(trial))}  ${params}`;
}

function outcomeText(trial: FrozenTrial): string {
  if (trial.state === "COMPLETE") return `complete  F1 ${trial.value!.toFixed(4)}`;
  if (trial.state === "FAIL") return `failed: ${trial.userAttrs.fail_reason ?? "no reason was stored"}`;
  if (trial.userAttrs[OUT_OF_MEMORY] === true) return "pruned: out of memory";
  return `pruned at step ${lastStep(trial)}${trial.value === null ? "" : `  F1 ${trial.value.toFixed(4)}`}`;
}

/** Counts the trials of this process, for the time that is left. */
function pace(asked: number | null, goal: number) {
  let since = performance.now();
  let begun = 0;
  let ended = 0;
  const total = () => asked ?? Math.max(goal - begun, 0);
  return {
    total,
    open(finished: number) {
      begun = finished;
      since = performance.now();
    },
    end() {
      ended++;
      const left = Math.max(total() - ended, 0);
      return { ended, left, eta: duration(left * (performance.now() - since) / 1000 / ended) };
    },
  };
}

function lineProgress(asked: number | null, goal: number): StudyProgress {
  const reporter = createReporter({});
  const counts = pace(asked, goal);
  let number = 0;
  let last = performance.now();
  return {
    reporter: {
      ...reporter,
      training({ fold, epoch, epochs, step, steps, loss, bestF1 }) {
        if (performance.now() - last < PLAIN_SECONDS * 1000) return;
        last = performance.now();
        const best = bestF1 === null ? "" : `  Best F1 ${bestF1.toFixed(4)}`;
        const at = `epoch ${epoch}/${epochs}  step ${step}/${steps}`;
        reporter.info(`trial ${number} fold ${fold}  ${at}  loss ${loss.toFixed(4)}${best}`);
      },
      // Epochs are too many for a log of thousands of trials.
      epoch() {},
    },
    observer: {
      started(trial) {
        number = trial.number;
      },
      opened(study, finished) {
        counts.open(finished);
        reporter.info(`study ${study.studyName}: ${finished} finished trials, ${counts.total()} to run`);
      },
      ended(study, trial) {
        last = performance.now();
        const { left, eta } = counts.end();
        reporter.info(trialText(study, trial) + (left > 0 ? `  ETA ${eta}` : ""));
      },
    },
    close: () => reporter.close(),
  };
}

function barProgress(asked: number | null, goal: number): StudyProgress {
  const bars = createBars();
  const counts = pace(asked, goal);
  let number = 0;
  let stage = { since: 0, label: "" };
  const show = (label: string, done: number, total: number | null, details: string[]) => {
    if (label !== stage.label) stage = { since: performance.now(), label };
    const perPiece = (performance.now() - stage.since) / 1000 / done;
    const eta = total === null ? null : done === 0 ? "?" : duration((total - done) * perPiece);
    bars.show("trial", { label, done, total, details, eta });
  };
  return {
    reporter: {
      info: bars.print,
      warn: bars.print,
      working: (what) => show(`trial ${number} ${what}`, 0, null, []),
      progress: (label, done, total) => show(label, done, total, [`${done}/${total}`]),
      training({ fold, epoch, epochs, step, steps, loss, bestF1 }) {
        const f1 = bestF1 === null ? [] : [`Best F1 ${bestF1.toFixed(4)}`];
        show(`trial ${number} fold ${fold}`, step, steps, [
          `epoch ${epoch}/${epochs}`,
          `loss ${loss.toFixed(4)}`,
          ...f1,
        ]);
      },
      epoch() {},
    },
    observer: {
      opened(study, finished) {
        counts.open(finished);
        const details = [`${study.studyName}: ${finished} finished before`];
        bars.show("study", { label: "study", done: 0, total: counts.total(), details, eta: "?" });
      },
      started(trial) {
        number = trial.number;
      },
      ended(study, trial) {
        const { ended, eta } = counts.end();
        const text = trialText(study, trial);
        bars.print(trial.state === "COMPLETE" ? pc.green(text) : text);
        const best = bestOf(study.trials, study.direction);
        const details = [
          `${ended}/${counts.total()}`,
          ...(best === null ? [] : [`Best F1 ${best.value!.toFixed(4)} (trial ${best.number})`]),
        ];
        bars.show("study", { label: "study", done: ended, total: counts.total(), details, eta });
      },
    },
    close: () => bars.stop(),
  };
}
