/// <reference lib="dom" />
/** A chart in the page that is shown again and again with more in it. */
import type { EChartsType } from "../../packages/echarts.ts";
import { CHART_BASE } from "../../report/chart_style.ts";
import type { ChartOption } from "../../report/plot.ts";
import { COLOURS, darkOf } from "../../report/colours.ts";
import { h } from "./dom.ts";

declare const echarts: { init(place: HTMLElement): EChartsType };

export interface Chart {
  readonly element: HTMLElement;
  /** `says` is what the chart shows, for those who cannot see it. */
  show(option: ChartOption, says: string): void;
  close(): void;
}

const isDark = matchMedia("(prefers-color-scheme: dark)");

/** The option with the colours of a dark page in place of its own. */
function themed<Kind>(option: Kind): Kind {
  if (!isDark.matches) return option;
  const seen = (value: unknown): unknown => {
    if (typeof value === "string") return darkOf(value);
    if (Array.isArray(value)) return isPoints(value) ? value : value.map(seen);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, seen(each)]));
  };
  return seen(option) as Kind;
}

/** Thousands of them have no colour. */
const isPoints = (list: readonly unknown[]): boolean => Array.isArray(list[0]) && typeof list[0][0] === "number";

export function createChart(height: number, onClick?: (name: string, index: number) => void): Chart {
  const element = h("div", { class: "chart", role: "img" });
  element.style.height = `${height}px`;
  let chart: EChartsType | null = null;
  let last: ChartOption | null = null;
  const draw = () => {
    if (last === null) return;
    if (chart === null) {
      chart = echarts.init(element);
      chart.on("click", ({ seriesName, dataIndex }) => onClick?.(seriesName ?? "", dataIndex));
    }
    chart.setOption(
      themed({ ...CHART_BASE, ...last }),
      { replaceMerge: ["series"] },
    );
  };
  const resized = new ResizeObserver(() => chart?.resize());
  resized.observe(element);
  isDark.addEventListener("change", draw);
  return {
    element,
    show(option, says) {
      last = option;
      element.setAttribute("aria-label", says);
      draw();
    },
    close() {
      resized.disconnect();
      isDark.removeEventListener("change", draw);
      chart?.dispose();
    },
  };
}

/** A tooltip that is drawn, not written into the page. */
export const tooltip = (formatter: (params: { seriesName?: string; data: unknown; dataIndex: number }) => string) => ({
  trigger: "item",
  renderMode: "richText",
  confine: true,
  backgroundColor: COLOURS.paper,
  borderColor: COLOURS.line,
  textStyle: { color: COLOURS.ink, fontSize: 12 },
  formatter,
} as unknown as ChartOption["tooltip"]);
