import assert from "node:assert/strict";
import { join } from "node:path";
import { runReport, writeRunReport } from "../../src/report/run/run_report.ts";
import { lostBins } from "../../src/report/run/length_plots.ts";
import { thinned } from "../../src/report/run/training_plots.ts";
import { EVALUATION_FILE, SUMMARY_FILE } from "../../src/training/run_folder.ts";
import { judgedFolds, readRunResults } from "../../src/training/run_results.ts";
import { decisionSettings } from "../../src/training/decisions.ts";
import { summarise, type Summary } from "../../src/training/summary.ts";
import { assertPage } from "../support/pages.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { type RunFiles, writeRunFiles } from "../support/run_files.ts";

const NOW = new Date("2026-01-02T03:04:05Z");
const CHARTS = [
  ...["f1", "roc", "precision_recall", "reliability", "scores", "loss", "learning_rate", "epochs", "truncation"],
].map((name) => `${name}.svg`);

interface Written {
  files: ReadonlyMap<string, string>;
  text: string;
  html: string;
  summary: Summary;
}

async function reportOf(folder: string, made: RunFiles = {}): Promise<Written> {
  await writeRunFiles(folder, made);
  const results = await readRunResults(folder);
  const files = await runReport(results, NOW);
  assertPage(files);
  const { facts, predictions } = judgedFolds(results);
  const summary = summarise(facts, predictions, { settings: decisionSettings(results.config), seed: 42 });
  return { files, text: files.get("report.md")!, html: files.get("report.html")!, summary };
}

/** The cells of the row that begins so. */
const row = (text: string, first: string): string[] =>
  text.split("\n").find((line) => line.startsWith(`| ${first} |`))!.split(" | ").slice(1)
    .map((cell) => cell.replace(" |", ""));

Deno.test("runReport: every figure is the summary's; charts of training, curves, calibration and scores", async () => {
  await inTemporaryFolder(async (folder) => {
    const { files, text, html, summary } = await reportOf(join(folder, "my run"));
    assert.deepEqual([...files.keys()].sort(), [...CHARTS, "report.html", "report.md"].sort());
    assert.match(text, /^# Run `my run`\n\nMade on 2026-01-02 03:04 UTC\.\n\n\| {2}\|/);
    const { overall, intervals: { overall: interval } } = summary;
    const four = (value: number) => value.toFixed(4);
    const range = interval.f1!.map(four).join(" to ");
    assert.deepEqual(row(text, "F1 over all pairs"), [`${four(overall.f1)} (${range})`]);
    assert.deepEqual(row(text, "folds trained to their end"), ["3 of 3"]);
    assert.deepEqual(row(text, "steps that overflowed and updated nothing"), ["3"]);
    assert.deepEqual(row(text, "time of training and evaluation"), ["1 min 0 s"]);
    // Best epoch, then the metrics.
    assert.deepEqual(row(text, "0").slice(0, 2), ["2", four(summary.folds[0].metrics.f1)]);
    assert.equal(row(text, "`A.2`")[1], four(summary.per_criterion["A.2"].f1));
    assert.deepEqual(row(text, "is positive"), [`${overall.truePositives}`, `${overall.falseNegatives}`]);
    assert.deepEqual(row(text, "is negative"), [`${overall.falsePositives}`, `${overall.trueNegatives}`]);
    assert.deepEqual(row(text, "as scored (this run)").slice(0, 2), [
      four(overall.ece!),
      interval.ece!.map(four).join(" to "),
    ]);
    assert.deepEqual(row(text, "fixed at 0.5 (this run)"), ["–", four(overall.f1), range]);
    assert.equal(text.match(/^\| \d \| .*\*\*0\.\d{4}\*\*/gm)!.length, 1);
    assert.deepEqual(row(text, "pairs whose post does not fit"), ["7 of 120"]);
    assert.deepEqual(row(text, "tokens of their posts that are cut off"), ["1,234"]);
    // Posts 17, 34 and 51 lose 34, 68 and 102 tokens, each in two pairs; the longest is the last.
    const [, lost, slowest] = text.split(/Those that lose the most:|## Slowest pairs/);
    assert.match(lost, /^\| `p51` \| `A\.1` \| 71 \| 1 \| 102 \|$/m);
    assert.equal(lost.match(/^\| `p/gm)!.length, 6);
    assert.equal(/\| `p\d+` .*$/m.exec(slowest)![0], "| `p59` | `A.1` | 79 | 1 | 0 |");
    assert.match(text, /How many tokens each of 6 pairs loses whose post does not fit; the other 114 lose none\./);
    assert.deepEqual(row(text, "evidence sentences cut off, whole or in part"), ["3 of 40"]);
    assert.equal(row(text, "`data.groundtruth_csv`").at(-1), "`aaaaaaaaaaaa`");
    assert.match(text, /^\| `kfold\.n_splits` \| `3` \| `5` \|$/m);

    // Three skipped steps and the legend's mark.
    assert.equal(files.get("loss.svg")!.split('fill="#cf222e"').length - 1, 4);
    assert.ok(files.get("reliability.svg")!.includes(`ECE ${four(overall.ece!)}<`));
    for (const name of CHARTS) assert.ok(text.includes(`](${name})`), name);
    assert.equal(html.match(/<svg /g)!.length, CHARTS.length);
    assert.equal(html.match(/role="img" aria-label="[^"]+"/g)!.length, CHARTS.length);
    assert.doesNotMatch(html, /(fill|stroke)="#(ffffff|1f2328|0969da)"/);
  });
});

Deno.test("runReport: what is chosen on its own pairs stands beside what is cross-fitted", async () => {
  await inTemporaryFolder(async (folder) => {
    const overrides = ["evaluation.calibration=temperature", "evaluation.threshold_mode=per_class"];
    const { text, files, summary } = await reportOf(join(folder, "run"), { overrides });
    const four = (value: number) => value.toFixed(4);
    const crossFitted = summary.cross_fitted!;
    assert.ok(summary.overall.f1 > crossFitted.overall.f1);
    assert.equal(row(text, "F1 over all pairs, cross-fitted")[0].slice(0, 6), four(crossFitted.overall.f1));
    assert.deepEqual(row(text, "one for each criterion (this run)").slice(0, 2), [
      four(summary.overall.f1),
      four(crossFitted.overall.f1),
    ]);
    const [, own] = text.split("What this run has chosen:");
    const { temperature, threshold, criterion_thresholds: thresholds } = summary.folds[1].decision;
    assert.deepEqual(row(own, "1"), [temperature, threshold, ...Object.values(thresholds!)].map(four));
    assert.match(text, /^Cross-fitted: each fold decides by what was chosen on the others\./m);
    assert.match(text, /^In sample: .* flatters\.$/m);
    assert.ok(files.get("f1.svg")!.includes(`   ${crossFitted.overall.f1.toFixed(3)}<`));
  });
});

Deno.test("runReport: a run under way says so; one without its checkpoints goes by its summary", async () => {
  await inTemporaryFolder(async (folder) => {
    const run = join(folder, "run");
    const { text } = await reportOf(run, { folds: [0, 1], unfinished: [1] });
    assert.match(
      text,
      /^\*\*Not all is trained yet\.\*\* Fold 1 is at epoch 3, step 12; its figures .* so far\. Fold 2 has not begun\.$/m,
    );
    assert.deepEqual(row(text, "folds trained to their end"), ["1 of 3"]);

    // Before the first evaluation there are losses and nothing else.
    const log = join(run, "fold_1/metrics.jsonl");
    Deno.writeTextFileSync(log, Deno.readTextFileSync(log).split("\n").slice(0, 3).join("\n") + '\n{"step":4,"ep');
    for (const fold of [0, 1]) Deno.removeSync(join(run, `fold_${fold}/predictions.csv`));
    Deno.removeSync(join(run, "fold_0/metrics.jsonl"));
    const early = await runReport(await readRunResults(run), NOW);
    assertPage(early);
    assert.deepEqual([...early.keys()], [
      "loss.svg",
      "learning_rate.svg",
      "truncation.svg",
      "report.md",
      "report.html",
    ]);
    assert.match(early.get("report.md")!, /Fold 1 is at epoch 0\.75, step 3 and not evaluated yet\. Folds 0, 2 have/);

    Deno.removeSync(log);
    const nothing = { kind: "data", message: /run: no fold has begun, so there is nothing to report yet$/ };
    await assert.rejects(writeRunReport(run), nothing);
    assert.deepEqual([...Deno.readDirSync(run)].filter(({ name }) => name === "report"), []);
    await assert.rejects(writeRunReport(folder), { kind: "data", message: /config\.yaml: no such file; train first/ });

    const other = join(folder, "copied");
    const { summary } = await reportOf(other);
    Deno.removeSync(join(other, "checkpoints"), { recursive: true });
    assert.deepEqual((await readRunResults(other)).folds.map(({ finished }) => finished), [false, false, false]);
    Deno.writeTextFileSync(join(other, SUMMARY_FILE), JSON.stringify(summary));
    Deno.writeTextFileSync(join(other, EVALUATION_FILE), JSON.stringify({ settings: { "a.b": "c" }, ...summary }));
    const copied = await runReport(await readRunResults(other), NOW);
    assert.doesNotMatch(copied.get("report.md")!, /Not all is trained/);
    assert.match(copied.get("report.md")!, /^`eval` was last asked with `a\.b=c`, over 3 folds: F1 0\.\d{4} \(/m);
    Deno.writeTextFileSync(join(other, EVALUATION_FILE), "[]");
    await assert.rejects(readRunResults(other), {
      kind: "data",
      message: /evaluation\.json: is not what train or eval/,
    });
  });
});

Deno.test("runReport: ids that look like markup stay text, and no post is quoted", async () => {
  await inTemporaryFolder(async (folder) => {
    const hostile = '</svg></text><img src=x onerror=alert(1)>|`${x}`\n" fill="#ffffff';
    const { text, html, files } = await reportOf(join(folder, "<b>run<i>"), {
      idOf: (post) => `${hostile}${post}`,
      criteria: [hostile, "{value}", "__proto__"],
      overrides: ["evaluation.threshold_mode=per_class"],
      record: { adapter: hostile },
    });
    assert.match(html, /<title>Run &#60;b&#62;run&#60;i&#62;<\/title>/);
    assert.doesNotMatch(html, /<b>|<i>|<img/);
    assert.ok(files.get("f1.svg")!.includes("{value}"));
    assert.match(text, /`__proto__`/);
  });
});

Deno.test("lostBins: whole widths from 1 up, every pair that loses a token in one of them", () => {
  const bins = lostBins([0, 1, 20, 21, 199, 200, 0]);
  assert.deepEqual(bins.filter(({ pairs }) => pairs > 0), [
    { from: 1, to: 10, pairs: 1 },
    { from: 11, to: 20, pairs: 1 },
    { from: 21, to: 30, pairs: 1 },
    { from: 191, to: 200, pairs: 2 },
  ]);
  assert.equal(bins.length, 20);
  assert.deepEqual(lostBins([1, 2, 2, 0]), [{ from: 1, to: 1, pairs: 1 }, { from: 2, to: 2, pairs: 2 }]);
  assert.deepEqual(lostBins([0, 0]), []);
});

Deno.test("thinned: means of neighbours, in their order, and few points as they are", () => {
  const points = Array.from({ length: 10 }, (_, i) => [i, i * i] as const);
  assert.deepEqual(thinned(points, 10), points);
  assert.deepEqual(thinned(points, 4), [[1, 5 / 3], [4, 50 / 3], [7, 149 / 3], [9, 81]]);
  assert.deepEqual(thinned([], 4), []);
});
