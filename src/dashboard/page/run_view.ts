/// <reference lib="dom" />
/** A run: how it stands and what its folds have logged. */
import { duration, epochsText, percent } from "../../formats/human.ts";
import { type FoldLogs, getRun, type LogEntry, runReport, type RunSummary } from "./api.ts";
import { createChart } from "./chart.ts";
import { badge, facts, figure, gibibytes, h, soon, table } from "./dom.ts";
import type { Live } from "./live.ts";
import { lossChart, rateChart, scoreChart } from "./run_charts.ts";

/** Steps of a fold; when there are more, every second one goes. */
const MOST_STEPS = 2000;

export function runView(place: HTMLElement, live: Live, run: string): () => void {
  let logs: FoldLogs[] | null = null;
  let isAskedFor = false;
  const summary = h("div");
  const folds = h("div");
  const loss = createChart(300);
  const score = createChart(300);
  const rate = createChart(220);
  const section = (title: string, element: HTMLElement, note = "") =>
    h("section", {}, h("h2", {}, title), element, note !== "" && h("p", { class: "faint" }, note));
  const charts = h(
    "div",
    { class: "two", hidden: true },
    section("Loss", loss.element, "Thin: of optimizer steps. With dots: of the validation pairs after each epoch."),
    section("F1", score.element),
    section("Learning rate", rate.element),
    section("Folds", folds),
  );
  place.append(h("h1", {}, run), summary, charts);

  const fail = (error: unknown) => summary.replaceChildren(h("p", { class: "error" }, (error as Error).message));

  async function load(): Promise<void> {
    isAskedFor = true;
    logs = (await getRun(run)).logs;
    draw();
  }

  function append(fold: number, entries: readonly LogEntry[]): void {
    let log = logs!.find((each) => each.fold === fold);
    if (log === undefined) {
      logs!.push(log = { fold, steps: [], epochs: [] });
      logs!.sort((a, b) => a.fold - b.fold);
    }
    for (const entry of entries) {
      if ("step" in entry) log.steps.push(entry);
      else log.epochs.push(entry);
    }
    if (log.steps.length > MOST_STEPS) log.steps = log.steps.filter((_, i) => i % 2 === 0);
  }

  function draw(): void {
    const now = live.runs.get(run);
    if (now === undefined || "error" in now) {
      if (live.isReady()) fail(new Error(now?.error ?? "there is no such run"));
      charts.hidden = true;
      return;
    }
    summary.replaceChildren(
      runFacts(now),
      h(
        "div",
        { class: "controls" },
        now.folds.length > 0 &&
          h("a", { class: "button", href: runReport(run), target: "_blank", rel: "noopener" }, "Open the report"),
        h("progress", { max: 1, value: now.progress, "aria-label": `${percent(now.progress)} done` }),
        h("span", { class: "faint" }, `${percent(now.progress)} done`),
      ),
    );
    if (logs === null) return;
    charts.hidden = false;
    loss.show(...lossChart(logs));
    score.show(...scoreChart(logs));
    rate.show(...rateChart(logs));
    folds.replaceChildren(table(
      ["fold", "", "steps", "epoch", "best F1", "at epoch"],
      now.folds.map((fold) => [
        `${fold.fold}`,
        badge(fold.finished ? "finished" : now.status === "running" ? "running" : "stopped"),
        `${fold.step}`,
        epochsText(fold.epoch),
        figure(fold.best_f1),
        fold.best_epoch === null ? "–" : epochsText(fold.best_epoch),
      ]),
    ));
  }

  const later = soon(draw);
  draw();
  // A new stream, after a break too, is one from which something may be missing.
  const loadWhereThere = () => live.runs.has(run) ? load().catch(fail) : draw();
  if (live.isReady()) loadWhereThere();
  const stop = live.listen((told) => {
    if (told.event === "ready") loadWhereThere();
    else if (told.event === "run" && told.data.run === run) {
      // One that has just begun is there to be loaded from now on.
      if (live.isReady() && !isAskedFor) loadWhereThere();
      else later();
    } else if (told.event === "run_removed" && told.data.run === run) later();
    else if (told.event === "log" && told.data.run === run) {
      const { fold, reset, entries } = told.data;
      if (reset || fold === null || logs === null) load().catch(fail);
      else {
        append(fold, entries);
        later();
      }
    }
  });
  return () => {
    stop();
    [loss, score, rate].forEach((chart) => chart.close());
  };
}

function runFacts(run: RunSummary): HTMLElement {
  return facts([
    ["status", badge(run.status)],
    ["F1, mean of the folds' best", figure(run.f1)],
    ["folds", `${run.folds.filter(({ finished }) => finished).length} of ${run.n_splits}`],
    ["time left, at most", run.eta_seconds !== null && duration(run.eta_seconds)],
    ["device busy", run.device_busy !== null && percent(run.device_busy)],
    ["device memory", gibibytes(run.device_bytes)],
    ["model", run.model],
    ["precision", run.precision],
    ["adapter", run.adapter],
  ]);
}
