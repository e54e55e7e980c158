/** Progress and tables for people: bars and colour on a terminal, plain lines when piped. */
import Table from "cli-table3";
import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";
import { duration, epochsText } from "../formats/human.ts";
import { type EpochState, type Reporter, silentReporter, type TrainingState } from "../training/reporter.ts";
import { createBars } from "./bars.ts";
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

/** The pace stands beside a bar already. */
function epochText(state: EpochState, hasBar: boolean): string {
  const mark = state.bestEpoch === state.epoch ? " *" : "";
  const pace = hasBar ? "" : `  ${Math.round(state.samplesPerSecond)} samples/s`;
  return `fold ${state.fold}  epoch ${epochsText(state.epoch)}/${state.epochs}  loss ${number(state.loss)}  ` +
    `eval loss ${number(state.evalLoss)}  F1 ${number(state.f1)}  Best F1 ${number(state.bestF1)}` +
    `${pace}${skippedText(state)}${mark}`;
}

/** Why a fold has ended before its last epoch; empty where it has not. */
const stopText = ({ fold, stoppedAfter, bestF1, bestEpoch }: EpochState): string[] =>
  stoppedAfter === null ? [] : [
    `fold ${fold}  stopped early: no better F1 than ${number(bestF1)} of epoch ${epochsText(bestEpoch)} in ` +
    `${stoppedAfter} epochs (training.early_stopping_patience)`,
  ];

/** The time that is left for all folds of a command, by the pace so far, evaluations and all; "?" at first. */
function createEta(): (state: TrainingState) => string {
  let since: number | undefined;
  let worked = 0;
  let last: { fold: number; step: number } | undefined;
  return ({ fold, step, steps, foldsLeft }) => {
    since ??= performance.now();
    if (last) worked += last.fold === fold ? step - last.step : step;
    last = { fold, step };
    const left = steps - step + foldsLeft * steps;
    return worked === 0 ? "?" : duration(left * (performance.now() - since) / 1000 / worked);
  };
}

function lineReporter(): TerminalReporter {
  const eta = createEta();
  let last = performance.now();
  let stage: { name: string; began: number; done: number; shown: boolean } | undefined;
  let waiting: ReturnType<typeof setInterval> | undefined;
  const due = (seconds = PLAIN_SECONDS) => performance.now() - last > seconds * 1000;
  const told = () => {
    clearInterval(waiting);
    waiting = undefined;
  };
  const info = (line: string) => {
    told();
    say(line);
  };
  return {
    info,
    warn: info,
    working(what) {
      told();
      // Soon, for those who wait, and then now and again.
      let seconds = PATIENCE_SECONDS;
      const began = performance.now();
      waiting = setInterval(() => {
        const elapsed = (performance.now() - began) / 1000;
        if (elapsed < seconds - 0.5) return;
        say(`${what} …${seconds === PATIENCE_SECONDS ? "" : `  ${duration(elapsed)}`}`);
        seconds = elapsed + PLAIN_SECONDS;
      }, PATIENCE_SECONDS * 1000 - 300);
      waiting.unref();
    },
    progress(name, done, total) {
      told();
      if (stage?.name !== name) stage = { name, began: performance.now(), done, shown: false };
      if (done < total && !due(stage.shown ? PLAIN_SECONDS : PATIENCE_SECONDS)) return;
      stage.shown = true;
      last = performance.now();
      const seconds = (last - stage.began) / 1000 * (total - done) / (done - stage.done);
      say(`${name}: ${done}/${total}${done < total && seconds < Infinity ? `  ETA ${duration(seconds)}` : ""}`);
      if (done >= total) stage = undefined;
    },
    training(state) {
      told();
      const left = eta(state);
      if (!due()) return;
      last = performance.now();
      say(
        `fold ${state.fold}  epoch ${state.epoch}/${state.epochs}  step ${state.step}/${state.steps}  ` +
          `loss ${number(state.loss)}  ${Math.round(state.samplesPerSecond)} samples/s${
            skippedText(state)
          }  ETA ${left}`,
      );
    },
    epoch(state) {
      told();
      last = performance.now();
      [epochText(state, false), ...stopText(state)].forEach(say);
    },
    close: told,
  };
}

function barReporter(): TerminalReporter {
  const bars = createBars();
  const eta = createEta();
  const BAR = "work";
  let stage = { name: "", began: 0, done: 0 };
  return {
    info: bars.print,
    warn: bars.print,
    working: (what) => bars.show(BAR, { label: what, done: 0, total: null, details: [], eta: null }),
    progress(name, done, total) {
      if (stage.name !== name) stage = { name, began: performance.now(), done };
      const seconds = (performance.now() - stage.began) / 1000 * (total - done) / (done - stage.done);
      const left = duration(seconds);
      bars.show(BAR, { label: name, done, total, details: [`${done}/${total}`], eta: done < total ? left : null });
    },
    training(state) {
      const { fold, epoch, epochs, step, steps, loss, bestF1, skipped, samplesPerSecond } = state;
      const details = [
        `epoch ${epoch}/${epochs}`,
        `loss ${number(loss)}`,
        ...(bestF1 === null ? [] : [`Best F1 ${number(bestF1)}`]),
        ...(skipped === 0 ? [] : [`skipped steps ${skipped}`]),
        `${Math.round(samplesPerSecond)} samples/s`,
      ];
      bars.show(BAR, { label: `fold ${fold}`, done: step, total: steps, details, eta: eta(state) });
    },
    epoch(state) {
      const text = epochText(state, true);
      bars.print(state.bestEpoch === state.epoch ? pc.green(text) : text);
      stopText(state).forEach(bars.print);
    },
    close: () => bars.stop(),
  };
}

/** A line on stdout. Unlike `console.log` it throws when whoever reads it is gone, so that nothing goes on for nobody. */
export function printLine(line: string): void {
  const bytes = new TextEncoder().encode(line + "\n");
  for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
}

/** A table on stdout: boxed, coloured and as wide as the terminal at most; tab-separated when piped. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  if (!Deno.stdout.isTerminal()) {
    for (const row of [head, ...rows]) printLine(row.join("\t"));
    return;
  }
  for (const part of fittingTables(head, rows, Deno.consoleSize().columns || 80)) {
    const table = new Table({
      head: part.head.map((title) => pc.bold(title)),
      style: { head: [], border: ["gray"] },
      colAligns: part.head.map((_, column) => column === 0 ? "left" : "right"),
    });
    table.push(...part.rows);
    printLine(table.toString());
  }
}

/** What the box takes beside a cell. */
const PADDING = 3;

/**
 * A table in parts that are at most `width` columns wide: each has the first column, and of the others as many as there
 * is room for; longer cells are broken into lines.
 */
export function fittingTables(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): { head: string[]; rows: string[][] }[] {
  const all = [head, ...rows];
  const natural = head.map((_, column) => Math.max(...all.map((row) => textWidth(row[column]))));
  const isWide = natural.reduce((sum, cells) => sum + cells + PADDING, 1) > width;
  const first = isWide
    ? Math.min(natural[0], Math.floor(width * (head.length === 1 ? 1 : 0.4)) - PADDING - 1)
    : natural[0];
  const room = width - 1 - first - PADDING;
  const widths = natural.map((cells, column) => column === 0 ? first : Math.min(cells, Math.max(1, room - PADDING)));
  const parts: number[][] = [[]];
  let used = 0;
  for (let column = 1; column < head.length; column++) {
    if (used > 0 && used + widths[column] + PADDING > room) {
      parts.push([]);
      used = 0;
    }
    parts.at(-1)!.push(column);
    used += widths[column] + PADDING;
  }
  return parts.map((columns) => {
    const cellsOf = (row: readonly string[]) => [0, ...columns].map((column) => broken(row[column], widths[column]));
    return { head: cellsOf(head), rows: rows.map(cellsOf) };
  });
}

const textWidth = (text: string): number =>
  Math.max(...stripVTControlCharacters(text).split("\n").map((line) => [...line].length));

/** The text in lines of at most `width`, between words where that can be. */
function broken(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const lines = [""];
  for (const word of text.split(" ")) {
    const joined = lines.at(-1) === "" ? word : `${lines.at(-1)} ${word}`;
    if (textWidth(joined) <= width) lines[lines.length - 1] = joined;
    else lines.push(...(word.match(new RegExp(`.{1,${width}}`, "gsu")) ?? []));
  }
  return lines.filter((line) => line !== "").join("\n");
}
