/** A run's report and comparison as a user gets them: train, eval, report, compare. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { entail, failure, start } from "../support/command_line.ts";
import { inTemporaryFolder, writeRunData } from "../support/run_data.ts";

const files = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const CHARTS = "epochs f1 learning_rate loss precision_recall reliability roc scores truncation".split(" ");
const REPORT = [...CHARTS.map((name) => `${name}.svg`), "report.html", "report.md"].sort();

Deno.test("entail train, eval, report, compare: a page of a run, and runs side by side", async () => {
  await inTemporaryFolder(async (folder) => {
    const [run, other] = [join(folder, "run"), join(folder, "other")];
    const overrides = [...writeRunData(folder), "training.num_epochs=1"];
    const [trained, second] = await Promise.all([
      entail(["train", ...overrides]),
      entail(["train", ...overrides, "training.learning_rate=3e-3", `output_dir=${other}`]),
    ]);
    assert.deepEqual([trained.code, second.code], [0, 0], trained.stderr + second.stderr);
    const judged = await entail(["eval", `output_dir=${run}`, "evaluation.threshold_mode=global", "--json"]);
    const { settings, ...kept } = JSON.parse(Deno.readTextFileSync(join(run, "evaluation.json")));
    assert.deepEqual(kept, JSON.parse(judged.stdout));
    assert.deepEqual(settings, { "evaluation.threshold_mode": "global" });

    const [report, elsewhere, byOverride, compared, json] = await Promise.all([
      entail(["report", run]),
      entail(["report", run, "--quiet", "--output", join(folder, "elsewhere")]),
      entail(["report", `output_dir=${other}`, `hpo.storage=sqlite:///${folder}/none.db`]),
      entail(["compare", run, other]),
      entail(["compare", run, other, "--json"]),
    ]);
    assert.equal(report.code, 0, report.stderr);
    assert.equal(report.stderr, `written to ${run}/report: open ${run}/report/report.html\n`);
    assert.deepEqual([elsewhere.code, elsewhere.stdout, elsewhere.stderr], [0, "", ""]);
    assert.deepEqual([files(join(run, "report")), files(join(folder, "elsewhere"))], [REPORT, REPORT]);
    assert.match(byOverride.stderr, /^written to .*\/other\/report: /);
    const page = Deno.readTextFileSync(join(run, "report/report.html"));
    const { overall, folds } = JSON.parse(Deno.readTextFileSync(join(run, "summary.json")));
    assert.ok(page.includes(`${overall.f1.toFixed(4)} (`));
    assert.ok(folds.every(({ metrics }: { metrics: { f1: number } }) => page.includes(`>${metrics.f1.toFixed(4)}<`)));
    // Ids, and no text of a post.
    assert.match(page, /<code>p\d+<\/code>/);
    assert.doesNotMatch(page, /slept|market|brother/);
    assert.match(page, /24 of 24/);
    // All pairs lose a few tokens; the table has those that lose the most, by id.
    assert.match(page, /Those that lose the most:/);
    const lengths = Deno.readTextFileSync(join(run, "pair_lengths.csv")).trim().split("\n");
    assert.deepEqual([lengths[0], lengths.length], ["post_id,criterion_id,tokens,chunks,lost", 25]);
    const lost = lengths.slice(1).map((line) => Number(line.split(",")[4]));
    const { truncation } = JSON.parse(Deno.readTextFileSync(join(run, "run.json")));
    assert.equal(lost.reduce((a, b) => a + b), truncation.tokens);

    assert.equal(compared.code, 0, compared.stderr);
    assert.equal(compared.stderr, "over 24 pairs of 12 posts, folds 0, 1\n");
    assert.match(compared.stdout, /^metric \(95%\)\trun\tother\nF1\t0\.\d{4} \(0\.\d{4} to [01]\.\d{4}\)\t/);
    assert.match(compared.stdout, /^run\tother\t-?0\.\d{4}\t/m);
    assert.match(compared.stdout, /^what differs\trun\tother\ntraining\.learning_rate\t0\.001\t0\.003\n$/m);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(compared.stdout, /\u001b/);
    const { runs, comparisons, differences } = JSON.parse(json.stdout);
    assert.equal(runs[0].metrics.f1, overall.f1);
    assert.deepEqual([comparisons.length, comparisons[0].pairs, differences.length], [1, 24, 1]);

    // Trained anew, nothing is left of what `eval` found.
    assert.equal((await entail(["train", ...overrides, "--fold", "0", "overwrite=true"])).code, 0);
    assert.ok(!files(run).includes("evaluation.json"));

    const record = join(other, "run.json");
    const third = Deno.readTextFileSync(record).replace(/(groundtruth_csv": ")\w/, "$1-");
    Deno.writeTextFileSync(record, third);
    const refusals: [string[], number, RegExp][] = [
      [["compare", run], 2, /name the folders of two or more runs/],
      [["compare", run, run], 2, /is named twice/],
      [["compare", run, other], 3, /other: data\.groundtruth_csv has other content than in .*\/run; compare runs of/],
      [["compare", run, folder], 3, /config\.yaml: no such file; train first/],
      [["report", join(folder, "nowhere")], 3, /nowhere\/config\.yaml: no such file/],
      [["report", "a_study", `hpo.storage=sqlite:///${folder}/none.db`], 3, /none\.db: no such file; run hpo first/],
      [["report", run, "seed=1"], 2, /seed=1: has no part in the report of a run/],
      [["report", "hpo.storge=x"], 2, /hpo\.storage/],
    ];
    const found = await Promise.all(refusals.map(([args]) => failure(args)));
    found.forEach(([code, line], i) => {
      assert.match(line, refusals[i][2]);
      assert.equal(code, refusals[i][1], line);
    });
  });
});

Deno.test("entail report: of a run that was killed, and again when it has gone on", async () => {
  await inTemporaryFolder(async (folder) => {
    const run = join(folder, "run");
    const train = ["train", ...writeRunData(folder), "training.num_epochs=6"];
    const child = start(train);
    // When an epoch has been evaluated and saved.
    while (!await Deno.stat(join(run, "checkpoints/fold_0/last/trainer_state.json")).then(() => true, () => false)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill("SIGKILL");
    await child.output();
    const killed = await entail(["report", run]);
    assert.equal(killed.code, 0, killed.stderr);
    const page = () => Deno.readTextFileSync(join(run, "report/report.md"));
    assert.match(page(), /^\*\*Not all is trained yet\.\*\* Fold 0 is at epoch .* so far\. Fold 1 has not begun\.$/m);
    assert.equal((await entail(train)).code, 0);
    assert.equal((await entail(["report", run])).code, 0);
    assert.doesNotMatch(page(), /Not all is trained/);
    assert.match(page(), /^\| folds trained to their end \| 2 of 2 \|$/m);
  });
});
