/** Learning from more than labels, as a user does: a teacher's `predict`, hard negatives and paraphrases in a student's `train`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { composeConfig } from "../../src/config/config.ts";
import { entail, failure } from "../support/command_line.ts";
import { loadPairs } from "../../src/training/run_data.ts";
import { inTemporaryFolder, TEXT_MODEL, writeRunData } from "../support/run_data.ts";

Deno.test("entail train: learns from what predict wrote of a teacher; a pair without a score ends it before it begins", async () => {
  await inTemporaryFolder(async (folder) => {
    const overrides = [...writeRunData(folder), "training.num_epochs=2", "model.loss_type=distillation"];
    const { criteria } = JSON.parse(Deno.readTextFileSync(join(folder, "criteria.json")));
    criteria[1].paraphrases = ["Bad sleep."];
    Deno.writeTextFileSync(join(folder, "criteria.json"), JSON.stringify({ criteria }));
    const pairs = await loadPairs(composeConfig(overrides));
    const [input, teacher, shorter] = ["pairs.jsonl", "teacher.jsonl", "shorter.jsonl"].map((name) =>
      join(folder, name)
    );
    Deno.writeTextFileSync(input, pairs.map(({ post, criterion }) => JSON.stringify({ post, criterion })).join("\n"));
    const predicted = await entail(["predict", "--checkpoint", TEXT_MODEL, "--input", input, "--output", teacher]);
    assert.equal(predicted.code, 0, predicted.stderr);
    const lines = Deno.readTextFileSync(teacher).trim().split("\n");
    Deno.writeTextFileSync(shorter, lines.filter((line) => !line.includes(criteria[0].text)).join("\n"));

    const train = ["train", "--fold", "0", ...overrides];
    const [student, missing, nameless, unfit] = await Promise.all([
      entail([...train, `data.teacher_scores=${teacher}`, "training.neg_per_pos=1", "training.hard_neg_frac=0.5"]),
      ...[`data.teacher_scores=${shorter}`, "data.teacher_scores=null", "data.teacher_scores=/nowhere.csv"]
        .map((teacher) => failure([...train, teacher, `output_dir=${join(folder, "other")}`])),
    ]) as [Awaited<ReturnType<typeof entail>>, ...Awaited<ReturnType<typeof failure>>[]];
    assert.equal(student.code, 0, student.stderr);
    assert.match(
      student.stderr,
      /fold 0: an epoch has \d+ of 12 pairs, .* \d of them from the second epoch on the hardest/,
    );
    assert.match(student.stderr, /paraphrases: 1 of 2 criteria have 2 texts together/);
    assert.match(missing[1], /shorter\.jsonl: has no score of post p0 with criterion A\.1, nor of 11 more pairs$/);
    assert.match(nameless[1], /groundtruth\.csv:2:1: has none of teacher_score, soft_label, logits and probability/);
    assert.match(unfit[1], /\/nowhere\.csv: no such file/);
    assert.deepEqual([missing, nameless, unfit].map(([code]) => code), [3, 3, 3]);
    assert.throws(() => Deno.statSync(join(folder, "other")), Deno.errors.NotFound);
  });
});
