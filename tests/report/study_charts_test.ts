/** The numbers behind a study's charts, beside those of optuna.visualization (tests/oracles/study_charts.py). */
import assert from "node:assert/strict";
import { contourCells, contourPlot, kernelWidth, surface } from "../../src/report/study/contour_plot.ts";
import { edfPlot, edfSteps } from "../../src/report/study/edf_plot.ts";
import { historyPlot } from "../../src/report/study/history_plot.ts";
import { pairedParameters } from "../../src/report/study/pairs.ts";
import { parallelPlot } from "../../src/report/study/parallel_plot.ts";
import type { PlottedStudy } from "../../src/report/study/plotted_study.ts";
import { rankPlot } from "../../src/report/study/rank_plot.ts";
import { studyPlots } from "../../src/report/study/plots.ts";
import { drawable, rankShares, scaleStep } from "../../src/report/study/series.ts";
import { timelineBars, timelinePlot } from "../../src/report/study/timeline_plot.ts";
import { parameterAxis } from "../../src/report/study/unit_axis.ts";
import { renderSvg } from "../../src/report/chart.ts";
import type { Direction, FrozenTrial } from "../../src/studies/frozen_trial.ts";
import { MemoryStorage } from "../../src/studies/memory_storage.ts";

interface Fixture {
  direction: Direction;
  trials: {
    state: FrozenTrial["state"];
    value: string | null;
    params: { rate: number; layers?: number; kind: string };
    infeasible: boolean;
    start: number;
    complete: number | null;
  }[];
  edf: { x: number[]; y: number[] };
  ranks: { numbers: number[]; shares: number[] };
  contours: { x: string; y: string; cells: [x: number | string, y: number | string, value: number][] }[];
  timeline: { number: number; start: number; end: number; kind: string }[];
}

const FIXTURES: Fixture[] = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/studies/charts.json", import.meta.url)),
);
const NOW = new Date("2026-06-01T00:00:00Z");
const KINDS = ["linear", "cosine", "constant"];
const float = { kind: "float", low: 1e-5, high: 1e-1, log: true, step: null } as const;
const int = { kind: "int", low: 1, high: 4, log: false, step: 1 } as const;
const choice = { kind: "categorical", choices: KINDS } as const;

async function studyOf({ direction, trials }: Pick<Fixture, "direction" | "trials">): Promise<PlottedStudy> {
  const storage = new MemoryStorage();
  const { studyId } = (await storage.createStudy("s", [direction]))!;
  for (const { state, value, params, infeasible, start, complete } of trials) {
    await storage.createTrial(studyId, {
      state,
      ...(value === null ? {} : { values: [value === "inf" ? Infinity : Number(value)] }),
      params: [
        { name: "rate", internal: params.rate, distribution: float },
        ...(params.layers === undefined ? [] : [{ name: "layers", internal: params.layers, distribution: int }]),
        { name: "kind", internal: KINDS.indexOf(params.kind), distribution: choice },
      ],
      systemAttrs: { constraints: [infeasible ? 1 : -1] },
      datetimeStart: new Date(start),
      ...(complete === null ? {} : { datetimeComplete: new Date(complete) }),
    });
  }
  const importances = [["rate", 0.6], ["layers", 0.3], ["kind", 0.1]] as const;
  return {
    trials: await storage.trials(studyId),
    direction,
    importances,
    valueName: "value",
    reported: null,
    now: NOW,
  };
}

const near = (a: number, b: number) => Math.abs(a - b) < 1e-12;

Deno.test("edfSteps: plot_edf's shares at each of its places", async () => {
  for (const fixture of FIXTURES) {
    const { trials } = await studyOf(fixture);
    const steps = edfSteps(drawable(trials).map(({ value }) => value!));
    fixture.edf.x.forEach((x, i) => {
      // Its last place is the largest value, but for rounding.
      const share = steps.findLast(([value]) => value <= x || near(value, x))?.[1] ?? 0;
      assert.ok(near(share, fixture.edf.y[i]), `${fixture.direction}: ${share} at ${x}, not ${fixture.edf.y[i]}`);
    });
  }
});

Deno.test("rankShares: plot_rank's, turned so that 1 is the best; equal values share the mean of their places", async () => {
  for (const fixture of FIXTURES) {
    const study = await studyOf(fixture);
    const shown = drawable(study.trials);
    assert.deepEqual(shown.map(({ number }) => number), fixture.ranks.numbers);
    const shares = rankShares(shown.map(({ value }) => value!), fixture.direction);
    fixture.ranks.shares.forEach((share, i) =>
      assert.ok(near(shares[i], fixture.direction === "maximize" ? share : 1 - share), `${i}`)
    );
    const { option, choices } = rankPlot(study)!;
    assert.deepEqual(choices!.map(({ name }) => name), ["rate × layers", "rate × kind", "layers × kind"]);
    // Each trial has the colour of its part of the ranks.
    const datasets = option.dataset as { source: (number | null)[][] }[];
    datasets.forEach(({ source }, step) =>
      source.forEach((row) => {
        const at = shown.findIndex(({ number }) => number === row.at(-1));
        assert.equal(scaleStep(shares[at]), step);
      })
    );
    assert.equal(datasets.reduce((sum, { source }) => sum + source.length, 0), shown.length);
  }
  assert.deepEqual(rankShares([5], "maximize"), [0.5]);
  assert.deepEqual([0, 1 / 7, 0.5, 1].map(scaleStep), [0, 1, 3, 6]);
});

Deno.test("contourCells: plot_contour's grid, the best of the trials in one place", async () => {
  for (const fixture of FIXTURES) {
    const { trials, direction } = await studyOf(fixture);
    const shown = drawable(trials);
    for (const { x, y, cells } of fixture.contours) {
      const own = shown.filter(({ params }) => Object.hasOwn(params, x) && Object.hasOwn(params, y));
      const [xAxis, yAxis] = [x, y].map((name) => parameterAxis(name, own));
      const [xs, ys] = [xAxis, yAxis].map(({ positions }) => positions);
      const found = contourCells(own, xs, ys, direction).map((cell) => {
        const at = xs.findIndex((place, i) => place === cell.x && ys[i] === cell.y);
        return [own[at].params[x], own[at].params[y], cell.value];
      });
      const sorted = (rows: unknown[][]) => rows.map((row) => JSON.stringify(row)).sort();
      assert.deepEqual(sorted(found), sorted(cells), `${direction} ${x} ${y}`);
    }
    assert.deepEqual(contourCells(shown.slice(0, 2), [null, 0.5], [0.5, 0.25], direction), [
      { x: 0.5, y: 0.25, value: shown[1].value },
    ]);
  }
});

Deno.test("surface: means of near trials, that of a single one where no other is near, nothing far from all", () => {
  const axis = { name: "x", ticks: [], positions: [], isChoice: false };
  const choices = { name: "c", ticks: [{ at: 0, label: "a" }, { at: 1, label: "b" }], positions: [], isChoice: true };
  // 500 in each of two places.
  const cells = [{ x: 0.5, y: 0, value: 3 }, { x: 0.5, y: 1, value: 5 }].flatMap((cell) => new Array(500).fill(cell));
  const values = surface(cells, axis, choices);
  const placeOf = (i: number) => -0.05 + (i + 0.5) * 1.1 / 33;
  // Nothing passes from one choice to another.
  for (const [i, j, value] of values) {
    assert.equal(value, j === 0 ? 3 : 5);
    assert.ok(Math.abs(placeOf(i) - 0.5) <= kernelWidth(1000) * Math.sqrt(2.5 ** 2 + 2 * Math.log(500)) + 1e-9);
  }
  assert.deepEqual(new Set(values.map(([, j]) => j)), new Set([0, 1]));
  const between = surface([{ x: 0.45, y: 0.5, value: 1 }, { x: 0.55, y: 0.5, value: 2 }], axis, axis);
  const middle = between.find(([i, j]) => i === 16 && j === 16)!;
  assert.ok(near(middle[2], 1.5), `${middle}`);
});

Deno.test("timelineBars: plot_timeline's, a dead trial to the end of the last, a living one to now", async () => {
  for (const fixture of FIXTURES) {
    const { trials } = await studyOf(fixture);
    assert.deepEqual(
      timelineBars(trials, NOW).map((bar) => ({ ...bar })),
      fixture.timeline,
      fixture.direction,
    );
    const [{ start }] = fixture.trials.filter(({ state }) => state === "RUNNING");
    const soon = new Date(start + 60_000);
    const running = timelineBars(trials, soon).find(({ kind }) => kind === "RUNNING")!;
    assert.equal(running.end, soon.getTime() + 1000);
  }
  assert.equal(timelinePlot({ ...await studyOf({ direction: "minimize", trials: [] }), now: NOW }), null);
});

Deno.test("studyPlots: nothing but data, which says the same after a journey as JSON", async () => {
  for (const fixture of FIXTURES) {
    for (const plot of studyPlots(await studyOf(fixture))) {
      const sent = JSON.parse(JSON.stringify(plot));
      assert.equal(renderSvg(sent), renderSvg(plot), plot.name);
      for (const { option } of plot.choices ?? []) {
        assert.doesNotMatch(renderSvg({ ...plot, option: { ...plot.option, ...option } }), /NaN|undefined/);
      }
    }
  }
});

Deno.test("studyPlots: what one bad trial would flatten is shown without it, and with it when asked", async () => {
  const trials = Array.from({ length: 40 }, (_, i) => ({
    state: "COMPLETE" as const,
    value: `${i === 7 ? -1e9 : 0.9 + (i % 10) / 100}`,
    params: { rate: 10 ** (-5 + i / 10), layers: 1 + (i % 4), kind: KINDS[i % 3] },
    infeasible: false,
    start: i * 1000,
    complete: i * 1000 + 500,
  }));
  const study = await studyOf({ direction: "maximize", trials });
  const history = historyPlot(study)!;
  const axis = history.option.yAxis as { min: number; max: number };
  assert.ok(axis.min > 0.8 && axis.max < 1.1);
  assert.deepEqual(history.beyond?.option.yAxis, [{ min: null, max: null }]);
  const edf = edfPlot(study)!;
  assert.ok((edf.option.xAxis as { min: number }).min > 0.8);
  assert.equal(edf.beyond?.count, 1);
  // The axis of values reaches from the worst to the best when all are asked for, and the lines go along.
  const { option, beyond } = parallelPlot(study)!;
  const places = (option: unknown) =>
    (option as { series: { data: { name: string; value: number[] }[] }[] }).series[0].data
      .filter(({ name }) => name === "trial 8").map(({ value }) => value[0]);
  assert.ok(places(option)[0] < 0.95);
  assert.ok(places(beyond!.option)[0] > 0.99);
  // Colours are of ranks and of what is within the span.
  const { max, min } = contourPlot(study)!.option.visualMap as { max: number; min: number };
  assert.ok(min >= 0.9 && max < 1);
});

Deno.test("pairedParameters: the most important six, the most important pairs first", async () => {
  const study = await studyOf(FIXTURES[0]);
  const { pairs, places } = pairedParameters(study, drawable(study.trials));
  assert.deepEqual(pairs, [[0, 1], [0, 2], [1, 2]]);
  drawable(study.trials).forEach(({ params }, i) =>
    assert.equal(places[1][i] === null, !Object.hasOwn(params, "layers"), `${i}`)
  );
});
