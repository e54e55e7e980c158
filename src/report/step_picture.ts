/** Where the time of an optimizer step goes, kernel by kernel, beside the least that the adapter would take. */
import { renderSvg } from "./chart.ts";
import type { ChartOption } from "./plot.ts";
import { AXIS_STYLE } from "./chart_style.ts";
import { COLOURS } from "./colours.ts";

/** What all calls of a kernel take in a step, in milliseconds; `ms` is null where it was not measured. */
export interface StepPart {
  kernel: string;
  shape: string;
  ms: number | null;
  roof_ms: number;
  bound: "bytes" | "operations";
}

const SHOWN = 24;
const ROW = 22;
const LETTER = 7;
const AROUND = { top: 76, bottom: 44 };

/** A bar for each part, the longest first, and a mark where it would end on the adapter's roof. */
export function stepPicture(
  parts: readonly StepPart[],
  { title, roof }: { title: string; roof: { gflops: number; gbps: number } },
): string {
  const shown = withRest(parts);
  const labels = shown.map(({ kernel, shape }) => shape ? `${kernel.replace(/\.product$/, "")} ${shape}` : kernel);
  const marks = (name: string, color: string, bound: StepPart["bound"]) => ({
    type: "scatter" as const,
    name,
    symbol: "rect",
    symbolSize: [4, ROW - 4],
    itemStyle: { color },
    data: shown.flatMap((part, row) => part.bound === bound ? [[part.roof_ms, row]] : []),
  });
  const option: ChartOption = {
    title: {
      text: title,
      subtext: `roof: ${roof.gflops.toFixed(0)} GFLOP/s, ${roof.gbps.toFixed(1)} GB/s`,
      left: 12,
      top: 6,
      itemGap: 4,
      textStyle: { fontSize: 14, color: COLOURS.ink },
      subtextStyle: { fontSize: 12, color: COLOURS.faint },
    },
    legend: {
      ...{ top: 30, right: 24, itemGap: 28, itemWidth: 14, itemHeight: 8 },
      textStyle: { color: COLOURS.ink, fontSize: 12 },
    },
    grid: { left: 16 + LETTER * Math.max(...labels.map(({ length }) => length)), right: 24, ...AROUND },
    xAxis: { ...AXIS_STYLE, type: "value", name: "ms in a step", nameLocation: "middle", nameGap: 26 },
    yAxis: {
      ...AXIS_STYLE,
      type: "category",
      inverse: true,
      splitLine: { show: false },
      data: labels,
    },
    series: [
      {
        type: "bar",
        name: "measured",
        barWidth: "60%",
        itemStyle: { color: COLOURS.line },
        data: shown.map(({ ms }) => ms),
      },
      marks("roof, by operations", COLOURS.orange, "operations"),
      marks("roof, by bytes", COLOURS.blue, "bytes"),
    ],
  };
  const size = { width: 960, height: AROUND.top + AROUND.bottom + ROW * shown.length };
  return renderSvg({ name: "step", option, size });
}

/** The largest, and the others together. */
function withRest(parts: readonly StepPart[]): StepPart[] {
  const [shown, rest] = [parts.slice(0, SHOWN), parts.slice(SHOWN)];
  if (rest.length === 0) return shown;
  const sum = (of: (part: StepPart) => number) => rest.reduce((sum, part) => sum + of(part), 0);
  const ms = rest[0].ms === null ? null : sum((part) => part.ms!);
  return [...shown, {
    kernel: `${rest.length} others`,
    shape: "",
    ms,
    roof_ms: sum((part) => part.roof_ms),
    bound: "bytes",
  }];
}
