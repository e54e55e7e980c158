/** An axis of its own for each parameter, as ECharts takes it. */
import { AXIS_STYLE } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import { formatter } from "../formatters.ts";
import { wrapped } from "../labels.ts";
import { ABSENT, type UnitAxis } from "./unit_axis.ts";

/** Trials without the parameter, where there are any, have a place below its values. Labels have lines of so many letters. */
export function unitAxis(
  { ticks, positions }: UnitAxis,
  { letters, rotate = 0 }: { letters: number; rotate?: number },
) {
  const hasAbsent = positions.includes(ABSENT);
  const shown = hasAbsent ? [{ at: ABSENT, label: "absent" }, ...ticks] : ticks;
  const labels = new Map(shown.map(({ at, label }) => [at, wrapped(label, letters)]));
  const customValues = [...labels.keys()];
  return {
    ...AXIS_STYLE,
    type: "value" as const,
    min: hasAbsent ? ABSENT - 0.05 : -0.05,
    max: 1.05,
    axisTick: { ...AXIS_STYLE.axisTick, customValues },
    axisLabel: {
      ...AXIS_STYLE.axisLabel,
      fontSize: 11,
      rotate,
      hideOverlap: false,
      // Lines run behind it.
      textBorderColor: COLOURS.paper,
      textBorderWidth: 3,
      customValues,
      formatter: formatter({ $format: "labels", labels: [...labels] }),
    },
    splitLine: { show: false },
    nameTextStyle: { ...AXIS_STYLE.nameTextStyle, color: COLOURS.ink },
  };
}
