import assert from "node:assert/strict";
import { join } from "node:path";
import { possibleTeachers } from "../../src/search/search_space.ts";
import { openWorkbench } from "../../src/search/workbench.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { loadPairs } from "../../src/training/run_data.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder, runConfig, writeAnnotations } from "../support/run_data.ts";

gpuTest("Workbench: augmentation neither reloads the data nor looks for candidates twice", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const annotations = writeAnnotations(folder);
    const config = (...more: string[]) => runConfig(folder, ...annotations, ...more);
    const notices: string[] = [];
    const reporter = { ...silentReporter, info: (line: string) => void notices.push(line) };
    const workbench = await openWorkbench(() => Promise.resolve({ ...gpu, close() {} }), reporter);
    try {
      const plain = await workbench.prepare(config("augmentation.enable=false"));
      const all = plain.data.pairs.map((_, index) => index);
      assert.equal(plain.rewriteOf(all), undefined);
      const first = await workbench.prepare(config());
      const second = await workbench.prepare(config("augmentation.prob=0.25"));
      assert.equal(first.data, plain.data);
      assert.equal(second.data, plain.data);
      // Longer pairs need another session; another probability does not.
      assert.notEqual(first.session, plain.session);
      assert.equal(second.session, first.session);
      assert.equal(notices.length, 1);
      const [always, sometimes] = await Promise.all([first, second].map(({ rewriteOf }) => rewriteOf(all)!(0)));
      assert.ok(always.size > sometimes.size && sometimes.size > 0);
      assert.equal((await workbench.prepare(config("augmentation.enable=false"))).rewriteOf(all), undefined);
    } finally {
      workbench.close();
    }
  });
});

gpuTest("Workbench: how chunks are chosen and put together needs no other data and no other session", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const config = (...more: string[]) => runConfig(folder, "data.chunk_max_len=48", "data.chunk_stride=2", ...more);
    const workbench = await openWorkbench(() => Promise.resolve({ ...gpu, close() {} }), silentReporter);
    try {
      const first = await workbench.prepare(config());
      const second = await workbench.prepare(config(
        "evaluation.agg_type=top-m",
        "evaluation.top_m=2",
        "data.pc_topM_enable=true",
        "data.pc_topM_M=1",
      ));
      assert.equal(second.data, first.data);
      assert.equal(second.session, first.session);
      const third = await workbench.prepare(config("data.chunk_stride=4"));
      assert.notEqual(third.data, first.data);
    } finally {
      workbench.close();
    }
  });
});

gpuTest("Workbench: a teacher is read once for the trials that learn from it, without other data", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const teacher = join(folder, "teacher.csv");
    const rows = (await loadPairs(runConfig(folder))).map(({ postId, criterionId }, i) =>
      `${postId},${criterionId},${i}`
    );
    Deno.writeTextFileSync(teacher, `post_id,DSM5_symptom,teacher_score\n${rows.join("\n")}\n`);
    const config = (loss: string) => runConfig(folder, `model.loss_type=${loss}`, `data.teacher_scores=${teacher}`);
    const workbench = await openWorkbench(() => Promise.resolve({ ...gpu, close() {} }), silentReporter);
    try {
      const searched =
        "hpo.search_space={loss: {key: model.loss_type, type: categorical, choices: [ce, mse, distillation]}}";
      const taught = possibleTeachers(runConfig(folder, `data.teacher_scores=${teacher}`, searched));
      assert.deepEqual(taught.map(({ model }) => model.loss_type), ["mse", "distillation"]);
      await workbench.load(config("ce"), taught);
      Deno.removeSync(teacher);
      const plain = await workbench.prepare(config("ce"));
      const [first, second] = [await workbench.prepare(config("mse")), await workbench.prepare(config("mse"))];
      assert.equal(plain.teacher, null);
      assert.deepEqual([...first.teacher!], rows.map((_, i) => i));
      assert.equal(second.teacher, first.teacher);
      assert.equal(second.data, plain.data);
      assert.equal(second.session, first.session);
      assert.notEqual(first.session, plain.session);
    } finally {
      workbench.close();
    }
    await assert.rejects(
      openWorkbench(() => Promise.resolve({ ...gpu, close() {} }), silentReporter).then((other) =>
        other.load(config("ce"), [config("mse")])
      ),
      { kind: "data", message: /teacher\.csv: no such file/ },
    );
  });
});
