/// <reference lib="dom" />
/** A study: how it stands, its trials under way, what they have come to. */
import { duration, paramText, percent } from "../../formats/human.ts";
import {
  type AnyStudy,
  getImportances,
  getTrials,
  type StudyPlace,
  studyReport,
  type StudySummary,
  type TrialRow,
} from "./api.ts";
import { createChart } from "./chart.ts";
import { badge, type Child, facts, figure, gibibytes, h, soon, table } from "./dom.ts";
import { type Live, studyKey } from "./live.ts";
import { curvesChart, historyChart } from "./study_charts.ts";
import { createTrialTable } from "./trial_table.ts";

/** Finished trials whose curves stand behind those that run. */
const CURVES = 60;
/** Importances change slowly, and take the server a moment. */
const IMPORTANCES_MS = 10_000;

export function studyView(place: HTMLElement, live: Live, { study_name, storage_id }: StudyPlace): () => void {
  const key = studyKey({ study_name, storage_id, storage: "" });
  const rows: TrialRow[] = [];
  let [isAskedFor, isLoaded] = [false, false];
  let chosen: number | null = null;
  /** Of the trials in the history as it is drawn: thousands of dots are not drawn again for nothing. */
  let [changes, drawnChanges] = [0, -1];
  let importancesOf = "";
  let importancesAt = -Infinity;

  const problem = h("p", { class: "error", role: "alert" });
  const summary = h("div");
  const running = h("div");
  const importances = h("div");
  const details = h("div");
  const history = createChart(300, (_, index) => choose(historyTrials()[index] ?? null));
  const curves = createChart(300);
  const trials = createTrialTable(choose);
  const title = h("h1", {}, study_name || "(no name)");
  const link = h("a", { class: "button", target: "_blank", rel: "noopener" }, "Open the report");
  const sections = h(
    "div",
    { hidden: true },
    running,
    h(
      "div",
      { class: "two" },
      h("section", {}, h("h2", {}, "Curves"), curves.element, h("p", { class: "faint", id: "reported" })),
      h("section", {}, h("h2", {}, "History"), history.element),
    ),
    h("h2", {}, "Importances"),
    importances,
    h("h2", {}, "Trials"),
    details,
    trials.element,
  );
  place.append(title, problem, summary, sections);

  /** Numbers of the trials behind the dots of the history's last series, that of complete trials. */
  const historyTrials = () =>
    rows.filter(({ state, value }) => state === "COMPLETE" && Number.isFinite(value)).map(({ number }) => number);

  function current(): StudySummary | null {
    const study: AnyStudy | undefined = live.studies.get(key);
    if (study === undefined || "error" in study) {
      const why = study?.error ?? (live.isReady() ? "there is no such study" : "loading …");
      summary.replaceChildren(h("p", { class: study === undefined && !live.isReady() ? "faint" : "error" }, why));
      sections.hidden = true;
      return null;
    }
    return study;
  }

  function take(changed: readonly TrialRow[]): void {
    for (const row of changed) {
      // Rows stand at their numbers, unless the study has lost some.
      const at = rows[row.number]?.number === row.number
        ? row.number
        : rows.findIndex(({ number }) => number === row.number);
      if (at < 0) rows.push(row);
      else rows[at] = { ...row, intermediate_values: row.intermediate_values ?? rows[at].intermediate_values };
    }
  }

  async function load(): Promise<void> {
    isAskedFor = true;
    const read = await getTrials({ study_name, storage_id, storage: "" });
    rows.length = 0;
    take(read);
    changes++;
    isLoaded = true;
    draw();
    await loadCurves();
  }

  /** Those of trials under way come by themselves; of the others, the last ones and the chosen one are fetched. */
  async function loadCurves(): Promise<void> {
    const last = rows.filter(({ state }) => state === "COMPLETE" || state === "PRUNED").slice(-CURVES);
    const missing = [...last, ...rows.filter(({ number, state }) => state === "RUNNING" || number === chosen)]
      .filter(({ intermediate_values }) => intermediate_values === undefined).map(({ number }) => number);
    if (missing.length === 0) return;
    take(await getTrials({ study_name, storage_id, storage: "" }, missing));
    draw();
  }

  function choose(number: number | null): void {
    chosen = number === chosen ? null : number;
    trials.choose(chosen);
    draw();
    loadCurves().catch(fail);
  }

  const fail = (error: unknown) => {
    problem.textContent = (error as Error).message;
  };

  function draw(): void {
    const study = current();
    if (study === null) return;
    document.title = `${study_name} – entail`;
    link.href = studyReport(study);
    summary.replaceChildren(studyFacts(study), h("p", { class: "faint" }, study.storage));
    if (study.directions.length === 1) summary.append(h("div", { class: "controls" }, link));
    if (!isLoaded) return;
    sections.hidden = false;
    running.replaceChildren(...study.running.length === 0 ? [] : [h("h2", {}, "Running"), runningTable(study)]);
    if (changes !== drawnChanges) history.show(...historyChart(study, rows));
    drawnChanges = changes;
    curves.show(
      ...curvesChart(study, rows.filter(({ intermediate_values }) => intermediate_values !== undefined), chosen),
    );
    place.querySelector("#reported")!.textContent = study.reported === null ? "" : `Reported: ${study.reported}.`;
    trials.show(study, rows);
    const row = rows.find(({ number }) => number === chosen);
    details.replaceChildren(...row === undefined ? [] : [trialDetails(row)]);
    drawImportances(study).catch(fail);
  }

  async function drawImportances({ states, directions }: StudySummary): Promise<void> {
    const of = `${states.COMPLETE}`;
    if (of === importancesOf || performance.now() - importancesAt < IMPORTANCES_MS) return;
    importancesOf = of;
    importancesAt = performance.now();
    const shares = await getImportances({ study_name, storage_id, storage: "" });
    const why = directions.length > 1
      ? "A study with several objectives has none."
      : "There are none before trials are complete.";
    importances.replaceChildren(
      shares.length === 0 ? h("p", { class: "faint" }, why) : h(
        "div",
        { class: "bars" },
        ...shares.flatMap(([name, share]) => [
          h("span", {}, name),
          h("meter", { max: Math.max(shares[0][1], 1e-9), value: share, "aria-label": `importance of ${name}` }),
          h("span", {}, share.toFixed(3)),
        ]),
      ),
    );
  }

  const later = soon(draw);
  draw();
  // A new stream, after a break too, is one from which something may be missing.
  const loadWhereThere = () => current() !== null && load().catch(fail);
  if (live.isReady()) loadWhereThere();
  const stop = live.listen((told) => {
    if (told.event === "ready") loadWhereThere();
    else if (told.event === "trials" && studyKey(told.data) === key) {
      take(told.data.trials);
      changes++;
      later();
    } else if (told.event === "study" && studyKey(told.data) === key) {
      // One that has just been made is there to be loaded from now on.
      if (live.isReady() && !isAskedFor) loadWhereThere();
      else later();
    } else if (told.event === "study_removed" && studyKey(told.data) === key) later();
  });
  // What is left out of a look because it came too soon is made up for.
  const timer = setInterval(later, IMPORTANCES_MS);
  return () => {
    stop();
    clearInterval(timer);
    history.close();
    curves.close();
  };
}

function studyFacts(study: StudySummary): HTMLElement {
  const { states, n_trials: goal, best, running } = study;
  const finished = states.COMPLETE + states.PRUNED + states.FAIL;
  const dead = running.filter(({ stale }) => stale).length;
  const workers = new Set(running.filter(({ stale }) => !stale).map(({ worker, number }) => worker ?? number)).size;
  return facts([
    ["status", badge(study.status)],
    [`best ${study.objective}`, best === null ? "–" : `${figure(best.value)} (trial ${best.number})`],
    ["direction", study.direction],
    ["trials", goal === null ? `${finished}` : `${finished} of ${goal}`],
    ["complete, pruned, failed", `${states.COMPLETE}, ${states.PRUNED}, ${states.FAIL}`],
    ["running", `${states.RUNNING}${workers > 1 ? ` in ${workers} processes` : ""}`],
    ["without a sign of life", dead > 0 && `${dead}`],
    ["waiting", states.WAITING > 0 && `${states.WAITING}`],
    ["pruned", percent(study.pruned_share)],
    ["device busy", study.busy_share !== null && percent(study.busy_share)],
    ["a trial takes", study.seconds_per_trial !== null && duration(study.seconds_per_trial)],
    ["time left", study.eta_seconds !== null && finished < (goal ?? 0) && duration(study.eta_seconds)],
  ]);
}

function runningTable({ running, objective }: StudySummary): HTMLElement {
  const since = (start: string | null) => start === null ? "–" : duration((Date.now() - Date.parse(start)) / 1000);
  const where = running.some(({ host, worker }) => host !== null || worker !== null);
  return table(
    ["trial", "step", objective, "for", "device busy", "memory", ...(where ? ["process"] : [])],
    running.map((trial): Child[] => [
      h("span", {}, `${trial.number} `, trial.stale && badge("stale")),
      trial.step === null ? "–" : `${trial.step}`,
      figure(trial.value),
      since(trial.datetime_start),
      percent(trial.device_busy),
      gibibytes(trial.device_bytes) ?? "–",
      ...(where ? [[trial.worker, trial.host, trial.adapter].filter((part) => part !== null).join(", ")] : []),
    ]),
  );
}

function trialDetails(row: TrialRow): HTMLElement {
  const entries: [string, string][] = [
    ["state", row.state.toLowerCase()],
    ["value", row.values === undefined ? figure(row.value) : row.values.map(figure).join(", ")],
    ...Object.entries(row.params).map(([name, value]): [string, string] => [name, paramText(value)]),
    ...Object.entries(row.user_attrs).map(([name, value]): [string, string] => [
      name,
      typeof value === "number" ? paramText(value) : `${value}`,
    ]),
    ["begun", row.datetime_start ?? "–"],
    ["ended", row.datetime_complete ?? "–"],
  ];
  return h(
    "section",
    { "aria-label": `trial ${row.number}` },
    h("h3", {}, `Trial ${row.number}`),
    h("dl", { class: "details" }, ...entries.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
  );
}
