/** Progress and tables for people: bars and colour on a terminal, plain lines when piped. */
import { MultiBar, Presets, type SingleBar } from "cli-progress";
import Table from "cli-table3";
import process from "node:process";
import pc from "picocolors";
import { duration, epochsText } from "../formats/human.ts";
import { type EpochState, type Reporter, silentReporter, type TrainingState } from "../training/reporter.ts";
import { say } from "./say.ts";

/** Seconds between two progress lines where there is no terminal, and before the first of a stage. */
const PLAIN_SECONDS = 10;
const PATIENCE_SECONDS = 2;

const number = (value: number, digits = 4): string => value.toFixed(digits);

export interface TerminalReporter extends Reporter {
  /** Takes bars off the screen; call before printing anything else. */
  close(): void;
}

/** Reports to stderr, so that stdout stays for results. */
export function createReporter({ quiet = false }: { quiet?: boolean }): TerminalReporter {
  if (quiet) return { ...silentReporter, warn: say, close() {} };
  return Deno.stderr.isTerminal() ? barReporter() : lineReporter();
}

/** Steps that updated nothing, where there are any. */
const skippedText = ({ skipped }: { skipped: number }): string => skipped === 0 ? "" : `  skipped steps ${skipped}`;

function epochText(state: EpochState): string {
  const mark = state.bestEpoch === state.epoch ? " *" : "";
  return `fold ${state.fold}  epoch ${epochsText(state.epoch)}/${state.epochs}  loss ${number(state.loss)}  ` +
    `eval loss ${number(state.evalLoss)}  F1 ${number(state.f1)}  Best F1 ${number(state.bestF1)}  ` +
    `${Math.round(state.samplesPerSecond)} samples/s${skippedText(state)}${mark}`;
}

function lineReporter(): TerminalReporter {
  let last = performance.now();
  let stepsThen = 0;
  let stage: { name: string; began: number; done: number; shown: boolean } | undefined;
  const due = (seconds = PLAIN_SECONDS) => performance.now() - last > seconds * 1000;
  return {
    info: say,
    warn: say,
    progress(name, done, total) {
      if (stage?.name !== name) stage = { name, began: performance.now(), done, shown: false };
      if (done < total && !due(stage.shown ? PLAIN_SECONDS : PATIENCE_SECONDS)) return;
      stage.shown = true;
      last = performance.now();
      const seconds = (last - stage.began) / 1000 * (total - done) / (done - stage.done);
      say(`${name}: ${done}/${total}${done < total && seconds < Infinity ? `  ETA ${duration(seconds)}` : ""}`);
      if (done >= total) stage = undefined;
    },
    training(state) {
      if (!due()) return;
      const rate = (state.step - stepsThen) / ((performance.now() - last) / 1000);
      last = performance.now();
      stepsThen = state.step;
      const eta = duration((state.steps - state.step) / rate);
      say(
        `fold ${state.fold}  epoch ${state.epoch}/${state.epochs}  step ${state.step}/${state.steps}  ` +
          `loss ${number(state.loss)}  ${Math.round(state.samplesPerSecond)} samples/s${
            skippedText(state)
          }  ETA ${eta}`,
      );
    },
    epoch(state) {
      last = performance.now();
      stepsThen = 0;
      say(epochText(state));
    },
    close() {},
  };
}

function barReporter(): TerminalReporter {
  const bars = new MultiBar({
    format: `{label} ${pc.cyan("{bar}")} {percentage}%  {details}  ETA {eta_formatted}`,
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
    barsize: 24,
    etaBuffer: 50,
  }, Presets.shades_classic);
  let bar: SingleBar | undefined;
  let current = "";
  const show = (label: string, done: number, total: number, details: string) => {
    if (label !== current) {
      if (bar) bars.remove(bar);
      bar = bars.create(total, done, { label, details });
      current = label;
    }
    bar!.update(done, { label, details });
  };
  const print = (line: string) => {
    bars.log(line + "\n");
    bars.update();
  };
  const info = (line: string) => bar ? print(line) : say(line);
  return {
    info,
    warn: info,
    progress: (stage, done, total) => show(stage, done, total, `${done}/${total}`),
    training(state: TrainingState) {
      const f1 = state.bestF1 === null ? "" : `  Best F1 ${number(state.bestF1)}`;
      const details = `epoch ${state.epoch}/${state.epochs}  loss ${number(state.loss)}${f1}  ${
        Math.round(state.samplesPerSecond)
      } samples/s${skippedText(state)}`;
      show(`fold ${state.fold}`, state.step, state.steps, details);
    },
    epoch: (state) => print(state.bestEpoch === state.epoch ? pc.green(epochText(state)) : epochText(state)),
    close() {
      bars.stop();
      bar = undefined;
      current = "";
    },
  };
}

/** A line on stdout. Unlike `console.log` it throws when whoever reads it is gone, so that nothing goes on for nobody. */
export function printLine(line: string): void {
  const bytes = new TextEncoder().encode(line + "\n");
  for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
}

/** A table on stdout: boxed and coloured on a terminal, tab-separated when piped. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  if (!Deno.stdout.isTerminal()) {
    for (const row of [head, ...rows]) printLine(row.join("\t"));
    return;
  }
  const table = new Table({
    head: head.map((title) => pc.bold(title)),
    style: { head: [], border: ["gray"] },
    colAligns: head.map((_, column) => column === 0 ? "left" : "right"),
  });
  table.push(...rows.map((row) => [...row]));
  printLine(table.toString());
}
