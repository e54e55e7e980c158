/** Learning from a teacher: its file, and runs that learn from it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { composeConfig } from "../../src/config/config.ts";
import type { Pair } from "../../src/dataset/groundtruth.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { evaluateRun } from "../../src/training/evaluate_run.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { loadRun } from "../../src/training/run_folder.ts";
import { loadPairs } from "../../src/training/run_data.ts";
import { loadTeacher } from "../../src/training/teacher.ts";
import { assertClose } from "../support/close.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder, runConfig } from "../support/run_data.ts";
import { fingerprint, runInPieces } from "../support/run_pieces.ts";

const quiet = { reporter: silentReporter };

const pair = (postId: string, post: string, criterionId: string, criterion: string): Pair => ({
  ...{ postId, post, criterionId, criterion },
  label: 0,
});
const PAIRS = [pair("1", "a", "A.1", "sad"), pair("1", "a", "A.2", "no joy"), pair("2", "b, c", "A.1", "sad")];

/** What a loss reads of a file of this name and content. */
async function read(loss: string, name: string, content: string, pairs = PAIRS): Promise<number[]> {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, name);
    await Deno.writeTextFile(file, content);
    const config = composeConfig([`model.loss_type=${loss}`, `data.teacher_scores=${file}`]);
    return [...(await loadTeacher(config, pairs))!];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("loadTeacher: columns of soft labels and scores, each loss its own first", async () => {
  const both =
    "post_id,DSM5_symptom,soft_label,teacher_score,note\n2,A.1,0.25,-7,x\n1,A.1,1,3,\n1,A.2,0,-2.5,\n1,A.9,x,x,\n";
  const [most, least, third] = await read("distillation", "t.csv", both);
  assert.deepEqual([most, least], [Infinity, -Infinity]);
  assertClose([third], [Math.log(1 / 3)], { atol: 0, rtol: 1e-15 });
  for (const loss of ["mse", "margin_mse"]) assert.deepEqual(await read(loss, "t.CSV", both), [3, -2.5, -7]);
  const scores = both.replace("soft_label", "other");
  assert.deepEqual(await read("distillation", "t.csv", scores), [3, -2.5, -7]);
});

Deno.test("loadTeacher: what predict writes, by ids or by texts", async () => {
  const records = [
    { post: "b, c", criterion: "sad", logits: [0.5, -1], probability: 0.18 },
    { post: "x", post_id: 1, DSM5_symptom: "A.1", logits: [2], probability: 0.88 },
    // Of posts in chunks, and of a calibrated model, the probability is the whole verdict.
    { post: "a", criterion: "no joy", logits: [3, 4], probability: 0.75, chunks: 2 },
    { post: "of no interest", criterion: "sad", logits: "none" },
  ];
  const lines = records.map((record) => JSON.stringify(record)).join("\n\n") + "\n";
  const expected = [2, Math.log(3), -1.5];
  for (const loss of ["mse", "distillation"]) {
    assertClose(await read(loss, "scores.jsonl", lines), expected, { atol: 0, rtol: 1e-15 });
  }
  const csv =
    'post,criterion,logits,probability,prediction\n"b, c",sad,[-1.5],0.5,0\na,sad,[2],0.9,1\na,no joy,"[0,2]",0.75,1\n';
  assertClose(await read("mse", "scores.csv", csv), [Math.log(9), Math.log(3), 0], { atol: 1e-15, rtol: 1e-15 });
  const plain = csv.replaceAll(/,(prediction|[01])$/gm, "");
  assert.deepEqual(await read("mse", "scores.csv", plain), [2, 2, -1.5]);
  // A post that is there twice has one verdict.
  const twice = [...PAIRS, pair("3", "a", "A.1", "sad")];
  assert.deepEqual(await read("mse", "scores.csv", plain, twice), [2, 2, -1.5, 2]);
});

Deno.test("loadTeacher: what is wrong is named with its line", async () => {
  const head = "post_id,DSM5_symptom,teacher_score\n";
  const cases: [loss: string, name: string, content: string, message: RegExp][] = [
    ["mse", "t.csv", "", /t\.csv: is empty/],
    ["mse", "t.csv", `${head}1,A.1,1\n`, /t\.csv: has no score of post 1 with criterion A\.2, nor of 1 more pairs$/],
    ["mse", "t.csv", `${head}1,A.1,1\n1,A.2,\n`, /t\.csv:3:7: teacher_score is empty$/],
    ["mse", "t.csv", `${head}1,A.1,nan\n`, /t\.csv:2:7: teacher_score is "nan", not a finite number$/],
    ["mse", "t.csv", `${head}1,A.1,1e39\n`, /t\.csv:2:7: teacher_score is 1e39, whose score is not finite/],
    [
      "mse",
      "t.csv",
      `${head}1,A.1,1\n1,A.2,1\n1,A.1,2\n`,
      /t\.csv:4:1: post 1 with criterion A\.1 has another .* line 2$/,
    ],
    [
      "distillation",
      "t.csv",
      "post,criterion,soft_label\na,sad,1.5\n",
      /t\.csv:2:7: soft_label is 1\.5, it must be in/,
    ],
    ["mse", "t.csv", "post,criterion,soft_label\na,sad,1\n", /t\.csv:2:7: soft_label is 1, whose score is not finite/],
    ["mse", "t.csv", "post_id,DSM5_symptom\n1,A.1\n", /t\.csv:2:1: has none of teacher_score, soft_label, logits/],
    ["mse", "t.csv", "post,logits\na,[1]\n", /t\.csv:2:1: has neither DSM5_symptom nor criterion$/],
    ["mse", "t.jsonl", '{"post":"a","criterion":"sad"', /t\.jsonl:1:\d+: not valid JSON/],
    ["mse", "t.jsonl", "\n[]", /t\.jsonl:2: has neither post_id nor post$/],
    ["mse", "t.jsonl", "\n3", /t\.jsonl:2: expected an object/],
    [
      "mse",
      "t.jsonl",
      '{"post":"a","criterion":"sad","logits":[1,2,3]}',
      /t\.jsonl:1: logits are not a list of one or/,
    ],
    ["mse", "t.csv", "post,criterion,logits\na,sad,[1\n", /t\.csv:2:7: logits are not a list/],
    ["mse", "t.jsonl", '{"post":["a"],"criterion":"sad","logits":[1]}', /t\.jsonl:1: post is not a text$/],
  ];
  for (const [loss, name, content, message] of cases) {
    await assert.rejects(read(loss, name, content), { kind: "data", message }, content);
  }
});

/** Teacher's scores of the run's pairs, by no rule, as a column of a file. */
async function writeTeacher(folder: string, column: string, valueOf: (pair: Pair, index: number) => number) {
  const file = join(folder, "teacher.csv");
  const rows = (await loadPairs(runConfig(folder))).map((pair, i) =>
    `${pair.postId},${pair.criterionId},${valueOf(pair, i)}`
  );
  await Deno.writeTextFile(file, `post_id,DSM5_symptom,${column}\n${rows.join("\n")}\n`);
  return `data.teacher_scores=${file}`;
}

gpuTest("crossValidate: soft labels that are the labels teach what bce does, to the bit", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const file = await writeTeacher(folder, "soft_label", ({ label }) => label);
    const run = join(folder, "run");
    await crossValidate(gpu, runConfig(folder, "model.loss_type=bce", "training.num_epochs=1"), quiet);
    const hard = await fingerprint(run);
    const soft = [
      "model.loss_type=distillation",
      "model.distill_alpha=1",
      "training.num_epochs=1",
      file,
      "overwrite=true",
    ];
    await crossValidate(gpu, runConfig(folder, ...soft), quiet);
    assert.deepEqual(await fingerprint(run), hard);
    // The labels of the groundtruth file judge, and its own column teaches too.
    const other = await writeTeacher(folder, "soft_label", (_, i) => (i % 5) / 4);
    await crossValidate(gpu, runConfig(folder, ...soft, other), quiet);
    assert.notDeepEqual(await fingerprint(run), hard);
  });
});

gpuTest("crossValidate: a teacher is part of a run that learns from it, which goes on to the bit", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const file = await writeTeacher(folder, "teacher_score", (_, i) => Math.sin(i) * 4);
    const run = join(folder, "run");
    const taught = ["model.loss_type=margin_mse", "training.num_epochs=2", file];
    const summary = await crossValidate(gpu, runConfig(folder, ...taught), quiet);
    const whole = await fingerprint(run);
    const record = JSON.parse(await Deno.readTextFile(join(run, "run.json")));
    assert.ok("data.teacher_scores" in record.content && !("data.teacher_scores" in record.settings));

    // Another place of the file is no other run, other content is; who only evaluates needs none.
    const moved = join(folder, "moved.csv");
    const text = await Deno.readTextFile(file.split("=")[1]);
    await Deno.writeTextFile(moved, text);
    await Deno.remove(file.split("=")[1]);
    const evaluated = await evaluateRun(gpu, await loadRun(run), quiet);
    assert.deepEqual(evaluated.folds.map(({ loss }) => loss), summary.folds.map(({ loss }) => loss));
    await crossValidate(gpu, runConfig(folder, ...taught, `data.teacher_scores=${moved}`), quiet);
    await Deno.writeTextFile(moved, text.replace(/,0\n/, ",0.5\n"));
    await assert.rejects(crossValidate(gpu, runConfig(folder, ...taught, `data.teacher_scores=${moved}`), quiet), {
      kind: "usage",
      message: /data\.teacher_scores has other content/,
    });

    await Deno.writeTextFile(moved, text);
    await Deno.remove(run, { recursive: true });
    assert.ok(await runInPieces(gpu, folder, 2, ...taught, `data.teacher_scores=${moved}`) >= 2);
    assert.deepEqual(await fingerprint(run), whole);
  });
});
