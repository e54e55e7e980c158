/// <reference lib="dom" />
/** The trials of a study: sorted, filtered, a page at a time, the best always in view. */
import { duration, paramText } from "../../formats/human.ts";
import type { StudySummary, TrialRow } from "./api.ts";
import { badge, figure, h } from "./dom.ts";

export interface TrialTable {
  readonly element: HTMLElement;
  show(study: StudySummary, rows: readonly TrialRow[]): void;
  /** Marks the row of a trial. */
  choose(number: number | null): void;
}

type Cell = number | string | boolean | null;

interface Column {
  name: string;
  of(row: TrialRow): Cell;
  text(cell: Cell, row: TrialRow): string | HTMLElement;
}

const PAGE = 50;

const secondsOf = ({ datetime_start, datetime_complete }: TrialRow): number | null =>
  datetime_start === null || datetime_complete === null
    ? null
    : (Date.parse(datetime_complete) - Date.parse(datetime_start)) / 1000;

function columnsOf(study: StudySummary): Column[] {
  return [
    { name: "trial", of: ({ number }) => number, text: (cell) => `${cell}` },
    { name: "state", of: ({ state }) => state, text: (cell) => badge(`${cell}`.toLowerCase()) },
    {
      name: study.objective,
      of: ({ value }) => value,
      text: (cell, { values }) => values === undefined ? figure(cell as number | null) : values.map(figure).join(", "),
    },
    ...study.param_names.map((name): Column => ({
      name,
      of: ({ params }) => Object.hasOwn(params, name) ? params[name] : null,
      text: (cell, { params }) => Object.hasOwn(params, name) ? paramText(cell) : "–",
    })),
    { name: "time", of: secondsOf, text: (cell) => cell === null ? "–" : duration(cell as number) },
  ];
}

const OPERATORS: Record<string, (a: number, b: number) => boolean> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

/**
 * Whether a trial is what each word asks for: `lr<1e-4`, `value>=0.9`, `trial>100` of numbers, `optimizer=sgd` of texts, and
 * any other word somewhere in the parameters.
 */
export function filterOf(text: string, columns: readonly Pick<Column, "name" | "of">[]): (row: TrialRow) => boolean {
  const tests = text.trim().split(/\s+/).filter((word) => word !== "").map((word) => {
    const [, name, sign, wanted] = /^(.+?)(<=|>=|<|>|=)(.+)$/.exec(word) ?? [];
    const column = columns.find((each, i) => each.name === name || i === 2 && name === "value");
    if (column === undefined) {
      const part = word.toLowerCase();
      return (row: TrialRow) =>
        Object.entries(row.params).some(([key, value]) => `${key}=${value}`.toLowerCase().includes(part));
    }
    return (row: TrialRow) => {
      const cell = column.of(row);
      if (sign === "=") return `${cell}`.toLowerCase() === wanted.toLowerCase() || cell === Number(wanted);
      return typeof cell === "number" && OPERATORS[sign](cell, Number(wanted));
    };
  });
  return (row) => tests.every((test) => test(row));
}

/** Numbers by size, texts by letters, what is absent last whatever the order. */
function compare(a: Cell, b: Cell, order: 1 | -1): number {
  const isAbsent = (cell: Cell) => cell === null || Number.isNaN(cell);
  if (isAbsent(a) || isAbsent(b)) return Number(isAbsent(a)) - Number(isAbsent(b));
  if (typeof a === "number" && typeof b === "number") return a === b ? 0 : a < b ? -order : order;
  return `${a}`.localeCompare(`${b}`, undefined, { numeric: true }) * order;
}

/** `onChoose` is told the trial whose row was clicked. */
export function createTrialTable(onChoose: (number: number) => void): TrialTable {
  let columns: Column[] = [];
  let [study, rows]: [StudySummary | null, readonly TrialRow[]] = [null, []];
  let sort: { name: string; order: 1 | -1 } = { name: "trial", order: -1 };
  let first = 0;
  let chosen: number | null = null;

  const filter = h("input", {
    type: "search",
    placeholder: "filter: lr<1e-4  value>0.9  sgd",
    "aria-label": "filter trials",
  });
  const state = h(
    "select",
    { "aria-label": "state" },
    ...["all states", "complete", "pruned", "running", "fail", "waiting"].map((name) => h("option", {}, name)),
  );
  const count = h("output", { class: "faint", "aria-live": "polite" });
  const head = h("thead");
  const best = h("tbody", { class: "best" });
  const body = h("tbody");
  const turn = (by: number) => () => {
    first += by;
    draw();
  };
  const back = h("button", { type: "button", class: "button", onclick: turn(-PAGE) }, "Previous");
  const on = h("button", { type: "button", class: "button", onclick: turn(PAGE) }, "Next");
  const restart = () => {
    first = 0;
    draw();
  };
  filter.addEventListener("input", restart);
  state.addEventListener("change", restart);

  const element = h(
    "div",
    {},
    h("div", { class: "controls" }, filter, state, count),
    h("div", { class: "wide" }, h("table", { class: "trials" }, head, best, body)),
    h("div", { class: "controls" }, back, on),
  );

  function headCell({ name }: Column): HTMLElement {
    const isSorted = name === sort.name;
    const choose = () => {
      sort = { name, order: isSorted ? sort.order === 1 ? -1 : 1 : 1 };
      restart();
    };
    const mark = isSorted ? sort.order === 1 ? " ▲" : " ▼" : "";
    return h(
      "th",
      { scope: "col", "aria-sort": isSorted ? sort.order === 1 ? "ascending" : "descending" : null },
      h("button", { type: "button", "data-key": `column ${name}`, onclick: choose }, name + mark),
    );
  }

  function rowElement(row: TrialRow, isBest = false): HTMLElement {
    const choose = () => onChoose(row.number);
    return h(
      "tr",
      {
        tabindex: 0,
        "data-trial": row.number,
        "data-key": `trial ${row.number}`,
        "aria-selected": `${row.number === chosen}`,
        onclick: choose,
        onkeydown: (event: KeyboardEvent) => event.key === "Enter" && choose(),
      },
      ...columns.map((column, i) => h("td", {}, isBest && i === 0 ? "★ " : "", column.text(column.of(row), row))),
    );
  }

  function draw(): void {
    if (study === null) return;
    columns = columnsOf(study);
    const focused = document.activeElement?.closest<HTMLElement>("[data-key]")?.dataset.key;
    const isWanted = filterOf(filter.value, columns);
    const wanted = state.selectedIndex === 0 ? null : state.value.toUpperCase();
    const column = columns.find(({ name }) => name === sort.name) ?? columns[0];
    const shown = rows.filter((row) => (wanted === null || row.state === wanted) && isWanted(row))
      .sort((a, b) => compare(column.of(a), column.of(b), sort.order) || b.number - a.number);
    first = Math.max(0, Math.min(first, Math.floor((shown.length - 1) / PAGE) * PAGE));
    const number = study.best?.number;
    const bestRow = rows.find((row) => row.number === number);
    head.replaceChildren(h("tr", {}, ...columns.map(headCell)));
    best.replaceChildren(...bestRow === undefined ? [] : [rowElement(bestRow, true)]);
    body.replaceChildren(...shown.slice(first, first + PAGE).map((row) => rowElement(row)));
    count.textContent = shown.length === 0
      ? "no trial"
      : `${first + 1} to ${Math.min(first + PAGE, shown.length)} of ${shown.length} trials`;
    back.disabled = first === 0;
    on.disabled = first + PAGE >= shown.length;
    // Whoever moves through it by keyboard goes on where they are.
    if (focused !== undefined) {
      element.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }
  }

  return {
    element,
    show(newStudy, newRows) {
      [study, rows] = [newStudy, newRows];
      draw();
    },
    choose(number) {
      chosen = number;
      for (const row of element.querySelectorAll<HTMLElement>("[data-trial]")) {
        row.setAttribute("aria-selected", `${row.dataset.trial === `${number}`}`);
      }
    },
  };
}
