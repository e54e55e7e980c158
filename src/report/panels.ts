/** Several charts in one: panels in two columns, or in one where a screen is narrow. */
import type { ChartOption } from "./plot.ts";

const COLUMNS = 2;
const WIDTH = 960;
/** Pixels from which a browser has room for two columns. */
const TWO_COLUMNS = 640;

export interface Panel {
  /** Pixels of the chart, of what stands above it and of what stands below. */
  readonly chart: number;
  readonly above: number;
  readonly below: number;
}

/** The grids of panels below `top` pixels, a row as high as its highest, and their size. */
export function panels(all: readonly Panel[], top: number) {
  const laidOut = (columns: number) => {
    let at = top;
    const grids = all.map(({ chart, above }, i) => {
      const column = i % columns;
      const row = all.slice(i - column, i - column + columns);
      const grid = {
        left: `${column * (100 / columns) + 1.5}%`,
        top: at + above,
        width: `${100 / columns - 4}%`,
        height: chart,
        outerBoundsMode: "same" as const,
        outerBoundsContain: "axisLabel" as const,
      };
      if (column === columns - 1 || i === all.length - 1) {
        at += Math.max(...row.map(({ chart, above, below }) => chart + above + below));
      }
      return grid;
    });
    return { grids, height: at };
  };
  const [wide, narrow] = [laidOut(COLUMNS), laidOut(1)];
  const option: ChartOption = {
    grid: wide.grids,
    media: [
      { query: { minWidth: TWO_COLUMNS }, option: { grid: wide.grids } },
      { query: { maxWidth: TWO_COLUMNS - 1 }, option: { grid: narrow.grids } },
    ],
  };
  return { option, size: { width: WIDTH, height: wide.height }, narrowHeight: narrow.height };
}
