/** Bars at the foot of a terminal, each a line that fits, below lines that stay. */
import { MultiBar, Presets, type SingleBar } from "cli-progress";
import process from "node:process";
import { duration } from "../formats/human.ts";
import { say } from "./say.ts";

export interface BarState {
  label: string;
  done: number;
  /** null: nobody knows; the seconds since it began are shown instead. */
  total: number | null;
  /** The last ones are left out where the terminal is narrow. */
  details: readonly string[];
  /** "4 s", or null where none is known. */
  eta: string | null;
}

export interface Bars {
  /** Shows or changes the bar of that name; they stand in the order in which they came. */
  show(name: string, state: BarState): void;
  /** A line above the bars. It is as long as it is: the terminal breaks it, nothing is cut. */
  print(line: string): void;
  remove(name: string): void;
  stop(): void;
}

const NARROWEST_BAR = 8;
const WIDEST_BAR = 24;

/** The columns of the terminal that progress is shown on. */
export const columns = (): number => process.stderr.columns || 80;

/** One line of fewer than `width` columns: label, bar, share, time left, then as many details as there is room for. */
export function barLine({ label, done, total, details, eta }: BarState, width: number, seconds = 0): string {
  if (total === null) return `${label} …${seconds < 2 ? "" : `  ${duration(seconds)}`}`.slice(0, width - 1);
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const head = `  ${Math.floor(share * 100)} %${eta === null ? "" : `  ETA ${eta}`}`;
  const kept = [...details];
  const rest = () => head + kept.map((detail) => `  ${detail}`).join("");
  const room = () => width - 2 - label.length - rest().length;
  while (kept.length > 0 && room() < NARROWEST_BAR) kept.pop();
  const cells = Math.max(0, Math.min(WIDEST_BAR, room()));
  const full = Math.round(share * cells);
  return `${label} ${"█".repeat(full)}${"░".repeat(cells - full)}${rest()}`.slice(0, width - 1);
}

export function createBars(): Bars {
  const began = new Map<string, { label: string; at: number }>();
  const bars = new MultiBar({
    format: (_options: unknown, _params: unknown, { name, state }: { name: string; state: BarState }) => {
      const { label, at } = began.get(name)!;
      return label === state.label ? barLine(state, columns(), (performance.now() - at) / 1000) : "";
    },
    // Lines above the bars may be longer than the terminal is wide; those of the bars are not.
    linewrap: true,
    forceRedraw: true,
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
  }, Presets.shades_classic);
  const shown = new Map<string, SingleBar>();
  return {
    show(name, state) {
      const isNew = began.get(name)?.label !== state.label;
      if (isNew) began.set(name, { label: state.label, at: performance.now() });
      const bar = shown.get(name);
      if (bar) bar.update(state.done, { name, state });
      else shown.set(name, bars.create(state.total ?? 1, state.done, { name, state }));
      // What follows may keep the process from drawing for a while.
      if (isNew || !bar) bars.update();
    },
    print(line) {
      if (shown.size === 0) return say(line);
      // The line takes more rows than the first bar has: what stands below is cleared before and drawn again after.
      bars.log(`\x1b[0J${line}\n`);
      bars.update();
    },
    remove(name) {
      const bar = shown.get(name);
      if (!bar) return;
      shown.delete(name);
      bars.remove(bar);
    },
    stop() {
      bars.stop();
      shown.clear();
    },
  };
}
