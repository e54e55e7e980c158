/// <reference lib="dom" />
/** All studies and all runs. */
import { duration, percent } from "../../formats/human.ts";
import { type AnyRun, type AnyStudy, compareLink, runLink, studyLink } from "./api.ts";
import { badge, type Child, figure, gibibytes, h, soon, table } from "./dom.ts";
import type { Live } from "./live.ts";

export function overviewView(place: HTMLElement, live: Live): () => void {
  const chosen = new Set<string>();
  const studies = h("div");
  const runs = h("div");
  const compare = h("button", { class: "button", type: "button" }, "Compare");
  compare.addEventListener("click", () => location.hash = compareLink([...chosen]));
  place.append(
    h("h2", {}, "Studies"),
    studies,
    h("h2", {}, "Runs"),
    runs,
    h(
      "div",
      { class: "controls" },
      compare,
      h("span", { class: "faint" }, "two or more runs on the same data and folds"),
    ),
  );

  function draw(): void {
    const nothing = (what: string) =>
      h("p", { class: "faint" }, live.isReady() ? `There are no ${what} yet.` : "loading …");
    const all = [...live.studies.values()];
    const many = new Set(all.map(({ storage }) => storage)).size > 1;
    studies.replaceChildren(
      all.length === 0 ? nothing("studies") : table(
        ["study", "status", "trials", "", "best", "running", "pruned", "busy", "ETA", ...(many ? ["storage"] : [])],
        all.map((study) => [...studyCells(study), ...(many ? [study.storage] : [])]),
      ),
    );
    for (const run of chosen) if (!live.runs.has(run)) chosen.delete(run);
    compare.disabled = chosen.size < 2;
    runs.replaceChildren(
      live.runs.size === 0 ? nothing("runs") : table(
        ["run", "compare", "status", "folds", "", "F1", "ETA", "device busy", "memory"],
        [...live.runs.values()].map(runCells),
      ),
    );
  }

  function runCells(run: AnyRun): Child[] {
    const link = h("a", { href: runLink(run.run) }, run.run);
    if ("error" in run) return [link, "", h("span", { class: "error left" }, run.error)];
    const box = h("input", { type: "checkbox", "aria-label": `compare ${run.run}` });
    box.checked = chosen.has(run.run);
    box.addEventListener("change", () => {
      chosen[box.checked ? "add" : "delete"](run.run);
      compare.disabled = chosen.size < 2;
    });
    return [
      link,
      box,
      badge(run.status),
      `${run.folds.filter(({ finished }) => finished).length}/${run.n_splits}`,
      progress(run.progress, run.run),
      figure(run.f1),
      run.eta_seconds === null ? "–" : duration(run.eta_seconds),
      percent(run.device_busy),
      gibibytes(run.device_bytes) ?? "–",
    ];
  }

  const later = soon(draw);
  draw();
  return live.listen(({ event }) => {
    if (event === "ready") draw();
    else if (event !== "log" && event !== "trials") later();
  });
}

const progress = (share: number, of: string): HTMLElement =>
  h("progress", { max: 1, value: share, "aria-label": `${of}: ${percent(share)} done` });

function studyCells(study: AnyStudy): Child[] {
  const link = h("a", { href: studyLink(study) }, study.study_name || "(no name)");
  if ("error" in study) return [link, h("span", { class: "error" }, study.error), "", "", "", "", "", "", ""];
  const { states, n_trials: goal, best } = study;
  const finished = states.COMPLETE + states.PRUNED + states.FAIL;
  return [
    link,
    badge(study.status),
    goal === null ? `${finished}` : `${finished}/${goal}`,
    goal === null ? "" : progress(Math.min(finished / goal, 1), study.study_name),
    best === null ? "–" : figure(best.value),
    `${states.RUNNING}`,
    percent(study.pruned_share),
    percent(study.busy_share),
    study.eta_seconds === null || study.status === "finished" ? "–" : duration(study.eta_seconds),
  ];
}
