/** Where `predict` writes, as a user's shell sees it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { entail, failure, MAIN, resultOf } from "../support/command_line.ts";
import { inTemporaryFolder, TEXT_MODEL, writeRunData } from "../support/run_data.ts";

const LINES = [
  '{"id":12345678901234567890,"post":"I sleep badly.","criterion":"Insomnia","x":1.0}',
  '{"post":"All is well.", "criterion":"Insomnia","9":1e400,"1":[ ]}',
];

/** Runs a shell script in which `$PREDICT` scores `pairs.jsonl`, in a folder where that file has these lines. */
async function shell(folder: string, script: string, lines = LINES) {
  await Deno.writeTextFile(join(folder, "pairs.jsonl"), lines.join("\n"));
  const predict = [Deno.execPath(), "run", "-A", "--no-check", "--quiet", MAIN, "predict", "data.max_length=64"];
  return await resultOf(
    new Deno.Command("sh", {
      args: ["-c", script],
      cwd: folder,
      env: { NO_COLOR: "1", PREDICT: [...predict, "--quiet --input pairs.jsonl --checkpoint", TEXT_MODEL].join(" ") },
    }),
  );
}

function assertScored(output: string): void {
  const lines = output.trimEnd().split("\n");
  assert.equal(lines.length, LINES.length, output);
  lines.forEach((line, i) => {
    assert.ok(line.startsWith(LINES[i].slice(0, -1) + ',"logits":['), line);
    assert.equal(JSON.parse(line).logits.length, 2);
  });
}

Deno.test("entail predict: fields keep their text, a link stays, a pipe is written to", () =>
  inTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(join(folder, "scores"), "old");
    Deno.symlinkSync("scores", join(folder, "link"));
    const linked = await shell(folder, "$PREDICT --output link");
    assert.deepEqual(linked, { code: 0, stdout: "", stderr: "" });
    assert.ok(Deno.lstatSync(join(folder, "link")).isSymlink);
    assertScored(Deno.readTextFileSync(join(folder, "scores")));

    const piped = await shell(folder, "mkfifo pipe; timeout 60 cat pipe >read & $PREDICT --output pipe; wait");
    assert.deepEqual(piped, { code: 0, stdout: "", stderr: "" });
    assert.ok(Deno.lstatSync(join(folder, "pipe")).isFifo);
    assertScored(Deno.readTextFileSync(join(folder, "read")));
  }));

Deno.test("entail predict: stdout that is full is status 3, a reader that has gone ends it quietly", () =>
  inTemporaryFolder(async (folder) => {
    const full = await shell(folder, "$PREDICT --output - >/dev/full");
    const stderr = "error: stdout: no space left on device, free some and resume\n";
    assert.deepEqual(full, { code: 3, stdout: "", stderr });
    const closed = await shell(folder, "{ $PREDICT --output -; echo $? >status; } | true; cat status");
    assert.deepEqual(closed, { code: 0, stdout: "0\n", stderr: "" });
  }));

Deno.test("entail predict: stdin is JSON lines where it begins with {, else CSV", () =>
  inTemporaryFolder(async (folder) => {
    const cases: [string, string][] = [
      [' \n\n {"post":"a"}', 'error: stdin:3: "criterion" is missing or not a text\n'],
      ["\npost,criterion\na,b,c", "error: stdin:3:1: wrong number of fields, expect 2, got 3\n"],
    ];
    for (const [input, stderr] of cases) {
      Deno.writeTextFileSync(join(folder, "input"), input);
      const failed = await shell(folder, "cat input | $PREDICT --input - --output out");
      assert.deepEqual(failed, { code: 3, stdout: "", stderr });
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["input", "pairs.jsonl"]);
  }));

Deno.test("entail prepare: --output that is stdout holds the groundtruth alone", () =>
  inTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(join(folder, "posts"), "post_id,text\n1,a\n");
    Deno.writeTextFileSync(join(folder, "annotations"), "post_id,sentence_id,sentence_text,DSM5_symptom,status\n");
    Deno.writeTextFileSync(join(folder, "criteria"), '{"criteria":[{"id":"A.1","text":"sad"}]}');
    Deno.symlinkSync("/proc/self/fd/1", join(folder, "out"));
    const prepare = "prepare --posts posts --annotations annotations --criteria criteria --output out";
    const { code, stdout } = await shell(folder, `"${Deno.execPath()}" run -A --no-check ${MAIN} ${prepare} | cat`);
    assert.deepEqual([code, stdout], [0, "post_id,post,DSM5_symptom,groundtruth\n1,a,A.1,0\n"]);
  }));

Deno.test("entail predict: a fault in the last line, and a place that cannot be written, leave no output", () =>
  inTemporaryFolder(async (folder) => {
    const deep = `{"post":"a","criterion":"b","x":${'{"x":'.repeat(100_000)}1${"}".repeat(100_000)}}`;
    const cases: [string, string, number, RegExp][] = [
      ['{"post":"a"}', "out/scores", 3, /^error: pairs\.jsonl:20001: "criterion" is missing or not a text\n$/],
      [deep, "out/scores", 3, /^error: pairs\.jsonl:20001:5\d\d\d: nested more than 1000 levels deep\n$/],
      ["", "/proc/x/scores", 2, /^error: \/proc\/x\/scores: cannot be written \(.*\)\n$/],
      ["", "/sys/scores", 2, /^error: \/sys\/scores: cannot be written \(.*\)\n$/],
    ];
    for (const [last, output, status, pattern] of cases) {
      const lines = last === "" ? LINES : [...Array(20_000).fill(LINES[0]), last];
      const { code, stderr } = await shell(folder, `$PREDICT --output ${output}`, lines);
      assert.match(stderr, pattern);
      assert.equal(code, status);
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["pairs.jsonl"]);
  }));

Deno.test("entail predict: posts in chunks by command line, with their number; what is cut off otherwise is told", () =>
  inTemporaryFolder(async (folder) => {
    const post = "I have not slept well for three weeks, and I feel sad. My brother never sleeps, day or night.";
    const lines = [post, "I sleep."].map((post) => JSON.stringify({ post, criterion: "Insomnia" }));
    const read = (text: string) => text.trim().split("\n").map((line) => JSON.parse(line));
    const cut = await shell(folder, "$PREDICT --output - data.max_length=24", lines);
    assert.match(
      cut.stderr,
      /^1 of 2 pairs are longer than data\.max_length=24: \d+ tokens of their posts are cut off; /,
    );
    const byType: Record<string, { logits: number[]; probability: number; chunks: number }[]> = {};
    for (const type of ["max", "LSE", "top-m"]) {
      const chunks = `data.chunk_max_len=24 data.chunk_stride=4 evaluation.agg_type=${type}`;
      const { code, stdout, stderr } = await shell(folder, `$PREDICT --output - ${chunks}`, lines);
      assert.deepEqual([code, stderr], [0, ""]);
      byType[type] = read(stdout);
    }
    const [whole, short] = byType.max;
    assert.ok(whole.chunks > 2 && short.chunks === 1);
    const sigmoid = ([no, yes]: number[]) => 1 / (1 + Math.exp(no - yes));
    assert.ok(Math.abs(whole.probability - sigmoid(whole.logits)) < 1e-12);
    for (const type of ["LSE", "top-m"]) {
      assert.deepEqual(byType[type][0].logits, whole.logits);
      assert.ok(byType[type][0].probability < whole.probability);
      assert.deepEqual(byType[type][1], short);
    }
    const notQuiet = '"$(echo $PREDICT | sed s/--quiet//g)"';
    const vain = await shell(folder, `eval ${notQuiet} --output - data.max_length=9 data.chunk_max_len=200`, lines);
    assert.match(vain.stderr, /^data\.max_length has no effect: posts are read in chunks; set data\.chunk_max_len, /m);
    const { chunks: _, ...unchunked } = short;
    assert.deepEqual(read(cut.stdout)[1], unchunked);
  }));

Deno.test("entail predict: says where temperature and thresholds were chosen for other scores", () =>
  inTemporaryFolder(async (folder) => {
    const checkpoint = join(folder, "checkpoint");
    Deno.mkdirSync(checkpoint);
    for (const { name } of Deno.readDirSync(TEXT_MODEL)) {
      Deno.copyFileSync(join(TEXT_MODEL, name), join(checkpoint, name));
    }
    const config = JSON.parse(Deno.readTextFileSync(join(checkpoint, "config.json")));
    const chosen = {
      ...{ calibration_temperature: 2, positive_threshold: 0.4, pair_max_length: 24 },
      pair_chunks: { stride: 4, agg_type: "LSE", lse_tau: 8, top_m: 3 },
    };
    Deno.writeTextFileSync(join(checkpoint, "config.json"), JSON.stringify({ ...config, ...chosen }));
    const predict =
      '$(echo "$PREDICT" | sed "s/data.max_length=64//; s/checkpoint .*/checkpoint checkpoint/") --output -';
    for (
      const [asked, says] of [
        ["", ""],
        ["evaluation.top_m=2 evaluation.agg_type=LSE", ""],
        ["evaluation.agg_type=max", "evaluation.agg_type=LSE evaluation.lse_tau=8"],
        [
          "data.chunk_max_len=null",
          "data.chunk_max_len=24 data.chunk_stride=4 evaluation.agg_type=LSE evaluation.lse_tau=8",
        ],
      ]
    ) {
      const { code, stderr } = await shell(folder, `${predict} ${asked}`);
      const given = asked.replace("data.chunk_max_len=null", "data.max_length=24");
      const line =
        `${given}: the checkpoint's temperature and thresholds were chosen with ${says} and may not suit such scores\n`;
      assert.deepEqual([code, stderr], [0, says === "" ? "" : line]);
    }
  }));

Deno.test("entail prepare: evidence that does not stand in its post word for word is told, with its share", () =>
  inTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(join(folder, "posts"), "post_id,text\n1,I barely sleep at night. It rains.\n");
    const header = "post_id,sentence_id,sentence_text,DSM5_symptom,status";
    const rows = [
      "1,1,i barely sleep at night,SLEEP_ISSUES,1",
      "1,2,Nights are long.,SLEEP_ISSUES,1",
      "1,3,x,FATIGUE,0",
    ];
    Deno.writeTextFileSync(join(folder, "annotations"), [header, ...rows].join("\n"));
    Deno.writeTextFileSync(join(folder, "criteria"), '{"criteria":[{"id":"A.4","text":"sleep"}]}');
    const prepare = "prepare --posts posts --annotations annotations --criteria criteria --output out";
    const { code, stderr } = await shell(folder, `"${Deno.execPath()}" run -A --no-check ${MAIN} ${prepare}`);
    assert.deepEqual([code, stderr], [
      0,
      "annotations: 2 of 2 evidence sentences (100.0 %) do not stand in their posts word for word: 1 stand there in " +
      "nearly the same words, 1 are left out\n",
    ]);
  }));

Deno.test("entail predict --checkpoint RUN: the best fold of a run, or what there is instead", async () => {
  await inTemporaryFolder(async (folder) => {
    const run = join(folder, "run");
    const input = join(folder, "pairs.jsonl");
    Deno.writeTextFileSync(input, JSON.stringify({ post: "I cannot sleep.", criterion: "Insomnia." }));
    const trained = await entail(["train", ...writeRunData(folder), "training.num_epochs=1"]);
    assert.equal(trained.code, 0, trained.stderr);
    const f1s = JSON.parse(Deno.readTextFileSync(join(run, "summary.json"))).folds
      .map((fold: { metrics: { f1: number } }) => fold.metrics.f1);
    const best = join(run, `checkpoints/fold_${f1s.indexOf(Math.max(...f1s))}`);
    const predict = (checkpoint: string) =>
      entail(["predict", "--checkpoint", checkpoint, "--input", input, "--output", "-"]);
    const [named, ofRun, ofFold] = await Promise.all([join(best, "best"), run, best].map(predict));
    assert.equal(ofRun.code, 0, ofRun.stderr);
    assert.equal(ofRun.stdout, named.stdout);
    assert.equal(ofFold.stdout, named.stdout);
    assert.match(ofRun.stderr, /checkpoints\/fold_\d\/best: the highest F1 of 2 folds \(\d\.\d{4}\)/);

    Deno.removeSync(join(run, "checkpoints"), { recursive: true });
    const failures = await Promise.all([run, folder].map((place) => {
      return failure(["predict", "--checkpoint", place, "--input", input, "--output", "-"]);
    }));
    assert.deepEqual(failures.map(([code]) => code), [3, 3]);
    assert.match(failures[0][1], /run: has no checkpoint: the run has none in .*checkpoints yet; train writes/);
    assert.match(failures[1][1], /no config\.json: there is criteria\.json, groundtruth\.csv, pairs\.jsonl, run; name/);
  });
});
