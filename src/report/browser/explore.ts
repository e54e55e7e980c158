/// <reference lib="dom" />
/** A chart in a browser, to explore: what is under a pointer, zoom, switches, choices, brushes. Works in any page. */
import type { EChartsType } from "../../packages/echarts.ts";
import { CHART_BASE } from "../chart_style.ts";
import { COLOURS, darkOf } from "../colours.ts";
import { revived } from "../formatters.ts";
import { tickText } from "../labels.ts";
import type { Plot } from "../plot.ts";

export interface Surroundings {
  /** The drawing library, as its own file leaves it in a page. */
  echarts: { init(place: HTMLElement): EChartsType };
  /** What is told of a trial under a pointer, beside its place: names and values. */
  detailsOf?: (trial: number) => readonly (readonly [name: string, value: string])[];
}

export interface Explored {
  /** Shows other data in the same place; what a reader has switched off stays so. */
  update(plot: Plot): void;
  /** Draws it now, though nobody has scrolled to it. */
  draw(): void;
  dispose(): void;
}

/** Pixels of a chart that is drawn in one column. */
const ONE_COLUMN = 640;
/** Trials that are named after a brush. */
const MOST_NAMED = 40;

const isDark = matchMedia("(prefers-color-scheme: dark)");
// Fingers that drag scroll the page.
const isCoarse = matchMedia("(pointer: coarse)");

/** Puts a chart and its controls into an element. It is drawn when a reader comes near. */
export function explore(place: HTMLElement, first: Plot, surroundings: Surroundings): Explored {
  let plot = first;
  let chart: EChartsType | null = null;
  let [choice, showsAll] = [0, false];
  const hidden = new Set<string>();

  const controls = element("div", "controls");
  const frame = element("div", "frame");
  const canvas = element("div", "canvas");
  const said = document.createElement("output");
  canvas.setAttribute("role", "img");
  frame.append(canvas);
  place.replaceChildren(controls, frame, said);
  const all = button("", () => {
    showsAll = !showsAll;
    show();
  });
  const whole = button("Zoom out", zoomOut);
  const free = button("Select all", () => show());
  const choose = document.createElement("select");
  choose.addEventListener("change", () => {
    choice = choose.selectedIndex;
    show();
  });

  const colourOf = (colour: string): string => isDark.matches ? darkOf(colour) : colour;
  const ownOption = (): Plot["option"] => ({ ...plot.option, ...plot.choices?.[choice]?.option });

  /** Sizes, names and switches: all but the drawing. */
  function arrange(): void {
    const { title, size, narrowHeight = size.height, minWidth = 0, beyond, choices = [] } = plot;
    const isNarrow = place.clientWidth < ONE_COLUMN;
    canvas.setAttribute("aria-label", title);
    canvas.style.minWidth = `${minWidth}px`;
    // So that a page with room beside its text can give it.
    frame.style.setProperty("--least", `${minWidth}px`);
    canvas.style.maxWidth = size.width < ONE_COLUMN ? `${size.width}px` : "";
    canvas.style.height = `${isNarrow ? narrowHeight : size.height}px`;
    choose.setAttribute("aria-label", `${title}: which`);
    if (choose.length !== choices.length || choices.some(({ name }, i) => choose.options[i].text !== name)) {
      choose.replaceChildren(...choices.map(({ name }) => new Option(name)));
      choice = 0;
    }
    all.textContent = beyond === undefined ? "" : `Show all, ${beyond.count} more`;
    all.setAttribute("aria-pressed", `${showsAll}`);
    controls.replaceChildren(
      ...choices.length > 1 ? [choose] : [],
      ...legendOf(ownOption()).map(({ name, colour }) => legendButton(name, colour)),
      ...beyond === undefined ? [] : [all],
      whole,
      free,
    );
    whole.hidden = free.hidden = true;
    said.textContent = "";
  }

  function legendButton(name: string, colour: string): HTMLElement {
    const swatch = element("span", "swatch");
    swatch.style.background = colourOf(colour);
    const entry = button(name, () => {
      if (!hidden.delete(name)) hidden.add(name);
      chart?.dispatchAction({ type: "legendToggleSelect", name });
      entry.setAttribute("aria-pressed", `${!hidden.has(name)}`);
    });
    entry.classList.add("legend");
    entry.prepend(swatch);
    entry.setAttribute("aria-pressed", `${!hidden.has(name)}`);
    return entry;
  }

  function show(): void {
    arrange();
    if (chart === null) return;
    const { pointer, beyond } = plot;
    const option = ownOption();
    chart.setOption(interactive(revived({ ...CHART_BASE, ...option }, colourOf)), { notMerge: true });
    if (showsAll && beyond !== undefined) chart.setOption(revived(beyond.option, colourOf));
    if (option.xAxis !== undefined && !isCoarse.matches) {
      chart.dispatchAction({ type: "takeGlobalCursor", key: "dataZoomSelect", dataZoomSelectActive: true });
    }

    function interactive(option: Plot["option"]): Plot["option"] {
      const names = legendOf(option).map(({ name }) => name);
      const zoom = { filterMode: "none" as const };
      const axes = [option.xAxis].flat().length;
      return {
        ...option,
        legend: {
          show: false,
          data: names,
          selected: Object.fromEntries(names.map((name) => [name, !hidden.has(name)])),
        },
        tooltip: {
          trigger: pointer,
          confine: true,
          backgroundColor: colourOf(COLOURS.paper),
          borderColor: colourOf(COLOURS.line),
          textStyle: { color: colourOf(COLOURS.ink), fontSize: 13 },
          formatter: (told: unknown) => tooltip(told as Told | Told[], surroundings.detailsOf),
        },
        ...option.xAxis === undefined ? {} : {
          // Its buttons are out of sight: dragging zooms at once.
          toolbox: { itemSize: 0, top: -60, feature: { dataZoom: { ...zoom, title: { zoom: "", back: "" } } } },
          // Fingers that pinch, and the wheel with the control key.
          dataZoom: axes > 1 ? [] : (["xAxisIndex", "yAxisIndex"] as const).map((axis) => ({
            type: "inside" as const,
            [axis]: 0,
            ...zoom,
            zoomOnMouseWheel: "ctrl" as const,
            moveOnMouseMove: false,
            moveOnMouseWheel: false,
            preventDefaultMouseMove: false,
          })),
        },
      };
    }
  }

  function draw(): void {
    if (chart !== null) return;
    chart = surroundings.echarts.init(canvas);
    chart.on("datazoom", () => whole.hidden = zooms().every(({ start, end }) => start === 0 && end === 100));
    chart.on("axisareaselected", () => sayWhatIsSelected());
    chart.getZr().on("dblclick", zoomOut);
    show();
  }

  const zooms = () => (chart?.getOption().dataZoom ?? []) as { start: number; end: number }[];

  function zoomOut(): void {
    chart?.dispatchAction({
      type: "dataZoom",
      batch: zooms().map((_, dataZoomIndex) => ({ dataZoomIndex, start: 0, end: 100 })),
    });
  }

  function sayWhatIsSelected(): void {
    const [series] = (chart as unknown as { getModel(): Brushed }).getModel().getSeries();
    const selected = series.getRawIndicesByActiveState("active");
    const { data } = ([ownOption().series].flat()[0]) as { data: { name: string }[] };
    const names = selected.map((i) => data[i].name.replace("trial ", "")).sort((a, b) => Number(a) - Number(b));
    free.hidden = names.length === 0;
    said.textContent = names.length === 0
      ? ""
      : `${names.length} of ${data.length} trials selected: ${names.slice(0, MOST_NAMED).join(", ")}` +
        (names.length > MOST_NAMED ? ", …" : "");
  }

  let width = 0;
  const resizing = new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    const { size, narrowHeight = size.height } = plot;
    canvas.style.height = `${width < ONE_COLUMN ? narrowHeight : size.height}px`;
    chart?.resize();
  });
  const nearing = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    nearing.disconnect();
    draw();
  }, { rootMargin: "1000px" });
  arrange();
  resizing.observe(place);
  nearing.observe(place);
  isDark.addEventListener("change", show);

  return {
    update(next) {
      plot = next;
      show();
    },
    draw,
    dispose() {
      resizing.disconnect();
      nearing.disconnect();
      isDark.removeEventListener("change", show);
      chart?.dispose();
      place.replaceChildren();
    },
  };
}

interface Brushed {
  getSeries(): { getRawIndicesByActiveState(state: string): number[] }[];
}

function legendOf({ legend }: Plot["option"]): { name: string; colour: string }[] {
  const { data = [] } = (legend ?? {}) as { data?: { name: string; itemStyle: { color: string } }[] };
  return data.map(({ name, itemStyle }) => ({ name, colour: itemStyle.color }));
}

/** What ECharts tells of a thing under a pointer. */
interface Told {
  seriesName?: string;
  name?: string;
  value?: unknown;
  dimensionNames?: string[];
  color?: string;
  axisValue?: number | string;
  axisDim?: string;
}

/** The things under a pointer as elements, so that no name in them is taken for HTML. */
function tooltip(told: Told | Told[], detailsOf: Surroundings["detailsOf"] = () => []): HTMLElement {
  const box = element("div", "told");
  const line = (name: string, value: string, colour?: string) => {
    const row = element("div", "");
    if (colour !== undefined) {
      const swatch = element("span", "swatch");
      swatch.style.background = colour;
      row.append(swatch);
    }
    row.append(name === "" ? "" : `${name}: `, value);
    box.append(row);
  };
  const isAxis = Array.isArray(told);
  for (const [i, each] of [told].flat().entries()) {
    const { seriesName = "", name = "", value, dimensionNames: names = [], color } = each;
    const values = (Array.isArray(value) ? value : [value]) as unknown[];
    const shown = values.flatMap((value, at) => {
      const dimension = names[at] ?? "";
      if (typeof value !== "number" || Number.isNaN(value) || /^(_|trial$|[xy]$|value$)/.test(dimension)) return [];
      return [{ name: dimension, text: tickText(Number(value.toPrecision(6))) }];
    });
    if (isAxis) {
      const [x, ...others] = shown;
      if (i === 0 && x !== undefined) line(x.name, x.text);
      const own = seriesName.includes("\0") ? "" : seriesName;
      for (const other of others) line([own, other.name].filter(Boolean).join(", "), other.text, color);
      continue;
    }
    const at = names.indexOf("trial");
    const trial = at >= 0 ? values[at] : /^trial (\d+)$/.exec(name)?.[1];
    if (trial !== undefined) line("", `trial ${trial}`, color);
    else if (name !== "") line("", name, color);
    const details = trial === undefined ? [] : detailsOf(Number(trial));
    const isTold = (name: string, text: string) =>
      details.some((detail) => detail[0] === name && Number(detail[1]) === Number(text));
    for (const { name, text } of shown) if (!isTold(name, text)) line(name, text);
    if (shown.length === 0 && typeof value === "number") line("", tickText(Number(value.toPrecision(6))));
    for (const [name, text] of details) line(name, text);
  }
  return box;
}

function element(name: "div" | "span", className: string): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

function button(text: string, act: () => void): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}
