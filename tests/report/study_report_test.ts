import assert from "node:assert/strict";
import { composeConfig } from "../../src/config/config.ts";
import { STUDY_PLOTS } from "../../src/report/study/plots.ts";
import { curves, runningBest } from "../../src/report/study/series.ts";
import { type StudyReport, studyReport, writeStudyReport } from "../../src/report/study/study_report.ts";
import { CONFIG_ATTRIBUTE, storeConfig } from "../../src/search/stored_config.ts";
import { TRIALS_ATTRIBUTE } from "../../src/search/study_setup.ts";
import { NopPruner } from "../../src/studies/nop_pruner.ts";
import { paramImportances } from "../../src/studies/importance.ts";
import type { Storage, TrialTemplate } from "../../src/studies/storage.ts";
import { RandomSampler } from "../../src/studies/random_sampler.ts";
import { MemoryStorage } from "../../src/studies/memory_storage.ts";
import { createStudy, loadStudy, type Study } from "../../src/studies/study.ts";
import { type Trial, TrialPruned } from "../../src/studies/trial.ts";
import { assertPage, chartsIn } from "../support/pages.ts";

const NOW = new Date("2026-01-02T03:04:05Z");

async function reportOf({ storage, studyName }: { storage: Storage; studyName: string }): Promise<StudyReport> {
  const record = (await storage.findStudy(studyName))!;
  const report = await studyReport(record, await storage.trials(record.studyId), NOW);
  assertPage(report.files);
  return report;
}

async function newStudy(objective: (trial: Trial) => number | Promise<number>, nTrials: number): Promise<Study> {
  const study = await createStudy({
    studyName: "s",
    direction: "maximize",
    sampler: new RandomSampler({ seed: 1 }),
    pruner: new NopPruner(),
    heartbeat: null,
  });
  await study.optimize(objective, { nTrials, catch: Error });
  return study;
}

const files = ({ files }: StudyReport) => [...files.keys()];
const markdown = ({ files }: StudyReport) => files.get("report.md")!;
const ALL = Object.keys(STUDY_PLOTS).map((name) => `${name}.svg`);
const DOCUMENTS = ["report.md", "report.html"];

/** The number of shapes filled with a colour. */
const shapes = (svg: string, colour: string) => svg.split(`fill="${colour}"`).length - 1;

/** The points of each curve of a colour, or of any. */
const polylines = (svg: string, colour = "#") =>
  [...svg.matchAll(/<polyline points="([^"]*)" fill="none" stroke="([^"]*)"/g)]
    .filter((match) => match[2].startsWith(colour)).map((match) => match[1].split(" ").length / 2);

Deno.test("studyReport: every kind of trial, in the documents and in the charts", async () => {
  const study = await newStudy(async (trial) => {
    const x = trial.suggestFloat("x", 1e-4, 1, { log: true });
    const kind = trial.suggestCategorical("kind", ["plain", "deep"]);
    if (kind === "deep") trial.suggestInt("depth", 2, 5);
    for (let step = 1; step <= 4; step++) {
      await trial.report(x * step, step);
      if (trial.number % 3 === 2) throw new TrialPruned();
    }
    if (trial.number === 4) throw new Error("lost the <device> | again");
    return x * 4;
  }, 12);
  await study.ask();
  const trials = await study.refresh();
  const complete = trials.filter(({ state }) => state === "COMPLETE");
  assert.equal(complete.length, 7);
  const report = await reportOf(study);
  assert.deepEqual(files(report), [...ALL, ...DOCUMENTS]);

  const states = [7, 4, 1];
  const { number, value } = study.bestTrial;
  const found = value!.toFixed(4);
  const text = markdown(report);
  assert.match(text, /^# Study `s`\n\nMade on 2026-01-02 03:04 UTC\.$/m);
  assert.match(text, /^\| direction \| maximize \|$/m);
  assert.match(text, new RegExp(`^\\| complete, pruned, failed \\| ${states.join(", ")} \\|$`, "m"));
  assert.match(text, /^\| running, waiting \| 1, 0 \|$/m);
  assert.match(text, new RegExp(`^\\| best value \\| ${found} \\(trial ${number}\\) \\|$`, "m"));
  // Not a study of `hpo`: nothing is asked of it.
  assert.doesNotMatch(text, /criteri|✓|✗/);
  assert.match(text, new RegExp(`^\\| 1 \\| ${number} \\| ${found} \\| `, "m"));
  assert.equal(text.match(/^\| \d+ \| \d+ \| [\d.]+ \| /gm)!.length, 7);
  assert.match(text, /^\| Error&#58; lost the &#60;device&#62; &#124; again \| 1 \| 4 \|$/m);
  for (const name of ALL) assert.ok(text.includes(`](${name})`), name);

  const importances = paramImportances(trials, "maximize");
  assert.deepEqual(Object.fromEntries(report.importances), importances);
  for (const [name, share] of Object.entries(importances)) {
    assert.ok(text.includes(`| \`${name}\` | ${share.toFixed(4)} |`), name);
    assert.ok(report.files.get("importances.svg")!.includes(`>${name}<`), name);
    assert.ok(report.files.get("importances.svg")!.includes(`>${share.toFixed(3)}<`), name);
  }

  const history = report.files.get("history.svg")!;
  // One mark each is the legend's.
  assert.deepEqual([shapes(history, "#0969da"), shapes(history, "#8c959f")], [complete.length + 1, states[1] + 1]);
  const plotted = new Map(chartsIn(report.files.get("report.html")!).plots.map((plot) => [plot.name, plot.option]));
  const best = [plotted.get("history")!.series!].flat().find(({ name }) => name === "best so far")!.data;
  assert.deepEqual(best, runningBest(trials, "maximize").map(([x, y]) => [x, Number(y.toPrecision(6))]));
  const intermediate = report.files.get("intermediate.svg")!;
  assert.deepEqual(polylines(intermediate, "#0969da"), complete.map(() => 4));
  // The failed trial has a curve, pruned ones a point; one mark is the legend's.
  assert.deepEqual(polylines(intermediate, "#8c959f"), [4]);
  assert.equal(shapes(intermediate, "#8c959f"), states[1] + 1);
  const parallel = report.files.get("parallel.svg")!;
  assert.deepEqual(polylines(parallel), complete.map(() => 4));
  for (const label of ["x", "kind", "depth", "plain", "deep", "absent"]) {
    assert.ok(parallel.includes(`>${label}<`), label);
  }
  assert.ok(report.files.get("slices.svg")!.includes(">absent<"));

  const html = report.files.get("report.html")!;
  assert.equal(html.match(/<svg /g)!.length, ALL.length);
  assert.match(html, /<td align="left">Error: lost the &lt;device&gt; \| again<\/td>/);
  assert.match(html, /var\(--blue\)/);
  assert.doesNotMatch(html, /(fill|stroke)="#ffffff"/);
});

Deno.test("studyReport: a study of hpo is judged, by what it is itself", async () => {
  const criteria = async (...overrides: string[]) => {
    const study = await newStudy(() => 0, 0);
    const config = composeConfig(["hpo.n_trials=6", ...overrides]);
    await study.setUserAttr(TRIALS_ATTRIBUTE, config.hpo.n_trials);
    const version = await storeConfig(study, config);
    await study.optimize(async (trial) => {
      await trial.setUserAttr(CONFIG_ATTRIBUTE, version);
      await trial.report(0.5, 1);
      if (trial.number >= 2) throw new TrialPruned();
      return 0.5;
    }, { nTrials: 6 });
    return markdown(await reportOf(study));
  };
  const kfold = await criteria("kfold.n_splits=4");
  assert.match(kfold, /^\| mean best F1 over 4 folds \| one is found \| 0\.5000 \| ✓ met \|$/m);
  assert.match(kfold, /^\| trials finished \| 6 \| 6 \| ✓ met \|$/m);
  assert.match(kfold, /^\| device busy \| > 90 % \| – \| – \|$/m);
  assert.match(kfold, /^\| trials out of memory \| < 5 % \| 0\.0 % \| ✓ met \|$/m);
  assert.match(kfold, /^\| trials pruned \| > 60 % \| 66\.7 % \| ✓ met \|$/m);
  const split = await criteria("hpo.hpo_mode.mode=single_split", "hpo.pruner.type=none", "hpo.n_trials=2000");
  assert.match(split, /^\| best F1 on the 20\.0 % held out \| one is found \| 0\.5000 \| ✓ met \|$/m);
  assert.match(
    kfold,
    /^What every trial reported on its way: after each fold the mean of the folds' best F1 so far\.$/m,
  );
  assert.match(split, /^What every trial reported on its way: the best F1 so far, so that no curve falls\.$/m);
  assert.match(split, /^\| trials finished \| 2000 \| 6 \| not yet \|$/m);
  assert.match(split, /^\| trials pruned \| none, there is no pruner \| 66\.7 % \| – \|$/m);
});

Deno.test("studyReport: one bad trial flattens no axis, and no label is cut", async () => {
  const schedules = ["linear", "cosine", "cosine_with_restarts", "constant"];
  const study = await newStudy(async (trial) => {
    trial.suggestCategorical("training.scheduler_type", schedules);
    trial.suggestFloat("model.a_parameter_with_a_name_that_no_axis_has_room_for", 0, 1);
    const value = trial.number === 7 ? -40 : 0.9 + (trial.number % 10) / 100;
    await trial.report(value, 1);
    return value;
  }, 40);
  const report = await reportOf(study);
  const text = markdown(report);
  assert.equal(text.match(/Values beyond 0\.9 to 0\.99 \(1 below\) are triangles at the edge\./g)!.length, 3);
  assert.equal(text.match(/Values beyond 0\.9 to 0\.99 \(1 below\)/g)!.length, 6);
  const { plots } = chartsIn(report.files.get("report.html")!);
  assert.deepEqual(
    plots.flatMap(({ name, beyond }) => beyond === undefined ? [] : [[name, beyond.count]]),
    ["history", "intermediate", "parallel", "slices", "edf"].map((name) => [name, 1]),
  );
  for (const name of ALL) {
    const svg = report.files.get(name)!;
    assert.doesNotMatch(svg, /…|>-\d/, name);
  }
  const words = (name: string) =>
    report.files.get(name)!.match(/>[^<]+</g)!.map((word) => word.slice(1, -1).trim()).join("");
  for (const name of ["parallel.svg", "slices.svg"]) assert.ok(words(name).includes("cosine_with_restarts"), name);
  for (const name of ["importances.svg", "parallel.svg", "slices.svg"]) {
    assert.ok(words(name).includes("model.a_parameter_with_a_name_that_no_axis_has_room_for"), name);
  }
});

Deno.test("runningBest, curves: steps of the best in either direction; reports that are no numbers cut a curve", async () => {
  const values = [3, 5, 2, Infinity, 7];
  const study = await newStudy(async (trial) => {
    for (const [step, value] of [[0, 1], [2, NaN], [3, 4], [1, 2], [4, Infinity], [5, 6]]) {
      await trial.report(value, step);
    }
    return values[trial.number];
  }, 5);
  assert.deepEqual(runningBest(study.trials, "maximize"), [[0, 3], [1, 5], [2, 5], [4, 7]]);
  assert.deepEqual(runningBest(study.trials, "minimize"), [[0, 3], [1, 3], [2, 2], [4, 2]]);
  assert.deepEqual(curves(study.trials[0]), [[[0, 1], [1, 2]], [[3, 4]], [[5, 6]]]);
});

Deno.test("studyReport: studies that have little to show", async () => {
  const cases: [name: string, Study, string[], RegExp][] = [
    ["no trial", await newStudy(() => 0, 0), [], /No trial is complete yet/],
    ["no parameter", await newStudy(() => 1, 2), ["history.svg", "edf.svg", "timeline.svg"], /\| 1 \| 0 \| 1\.0000 \|/],
    [
      "no complete trial",
      await newStudy(async (trial) => {
        trial.suggestFloat("x", 0, 1);
        await trial.report(NaN, 1);
        throw new TrialPruned();
      }, 3),
      ["timeline.svg"],
      /\| complete, pruned, failed \| 0, 3, 0 \|/,
    ],
    [
      "one trial",
      await newStudy((trial) => trial.suggestFloat("x", 0, 1), 1),
      ["history.svg", "importances.svg", "parallel.svg", "slices.svg", "edf.svg", "timeline.svg"],
      /\| `x` \| 1\.0000 \|/,
    ],
    [
      "all values equal, intermediate values that are no numbers",
      await newStudy(async (trial) => {
        trial.suggestFloat("x", 0, 1);
        trial.suggestCategorical("only", [null]);
        await trial.report(Infinity, 1);
        await trial.report(-Infinity, 2);
        return 0.5;
      }, 5),
      ["history.svg", "importances.svg", "parallel.svg", "slices.svg", "rank.svg", "edf.svg", "timeline.svg"],
      /\| best value \| 0\.5000 \(trial 0\) \|/,
    ],
    [
      "values beyond all measure",
      await newStudy((trial) => [Infinity, -1e308, 1e308, -Infinity][trial.suggestInt("x", 0, 3)], 12),
      ["history.svg", "importances.svg", "parallel.svg", "slices.svg", "edf.svg", "timeline.svg"],
      /\| best value \| Infinity/,
    ],
  ];
  for (const [name, study, charts, text] of cases) {
    const report = await reportOf(study);
    assert.deepEqual(files(report), [...charts, ...DOCUMENTS], name);
    assert.match(markdown(report), text, name);
  }
});

Deno.test("studyReport: hostile names and values stay text", async () => {
  const hostile = '</svg></text><img src=x onerror=alert(1)>|`${x}`\n" fill="#ffffff';
  const storage = new MemoryStorage();
  const study = await createStudy({ studyName: hostile, storage, sampler: new RandomSampler({ seed: 1 }) });
  await study.optimize((trial) => {
    trial.suggestCategorical("kind", [hostile, "{value}", "{a|b}"]);
    trial.suggestFloat("0", 0, 1);
    if (trial.number === 3) throw new Error(hostile);
    return trial.suggestFloat(hostile, 0, 1);
  }, { nTrials: 9, catch: Error });
  const report = await reportOf({ storage, studyName: hostile });
  assert.deepEqual(files(report), [...ALL.filter((name) => name !== "intermediate.svg"), ...DOCUMENTS]);
  assert.equal(report.importances.length, 3);
  assert.ok(report.files.get("parallel.svg")!.includes(">{a|b}<"));
});

Deno.test("studyReport: thousands of trials make a page that can be mailed", async () => {
  const storage = new MemoryStorage();
  const { studyId } = (await storage.createStudy("large", ["maximize"]))!;
  for (let number = 0; number < 2000; number++) {
    const value = (number * 7919 % 2000) / 2000;
    const template: TrialTemplate = {
      state: number % 10 === 0 ? "PRUNED" : "COMPLETE",
      values: [value],
      params: Array.from({ length: 9 }, (_, i) => ({
        name: `parameter_${i}`,
        internal: (number * (i + 3) * 104729 % 2003) / 2003,
        distribution: { kind: "float" as const, low: 0, high: 1, log: false, step: null },
      })),
      intermediateValues: Array.from({ length: 20 }, (_, step) => [step, value * Math.sin(step + number)] as const),
      datetimeStart: NOW,
      datetimeComplete: NOW,
    };
    await storage.createTrial(studyId, template);
  }
  const report = await reportOf({ storage, studyName: "large" });
  assert.equal(polylines(report.files.get("intermediate.svg")!, "#0969da").length, 1800);
  assert.ok(report.files.get("report.html")!.length < 5e6, `${report.files.get("report.html")!.length}`);
});

Deno.test("studyReport: the database of Optuna; several objectives are refused", async () => {
  const database = new URL("../fixtures/studies/optuna.db", import.meta.url);
  const folder = Deno.makeTempDirSync({ prefix: "entail-report-" });
  try {
    Deno.copyFileSync(database, `${folder}/optuna.db`);
    const study = await loadStudy({ storage: `sqlite:///${folder}/optuna.db` });
    const report = await writeStudyReport(study, `${folder}/report`);
    assert.match(markdown(report), /^# Study `by optuna`$/m);
    assert.deepEqual(Object.fromEntries(report.importances), paramImportances(study.trials, study.direction));
    assert.deepEqual([...Deno.readDirSync(`${folder}/report`)].map(({ name }) => name).sort(), files(report).sort());
    for (const [name, content] of report.files) {
      assert.equal(Deno.readTextFileSync(`${folder}/report/${name}`), content);
    }
    await reportOf(study);

    await study.storage.createStudy("two", ["minimize", "maximize"]);
    for (const [studyName, message] of [["two", /two has 2 objectives/], ["none", /no study named none/]] as const) {
      await assert.rejects(writeStudyReport({ storage: study.storage, studyName }, folder), { kind: "data", message });
    }
    await study.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
