/** A study's MLflow runs, with objectives that train nothing. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openStudyTracker, type StudyTracker } from "../../src/tracking/study_tracker.ts";
import { type Config, parseConfigText } from "../../src/config/config.ts";
import { finishedTrials } from "../../src/search/run_study.ts";
import { createStudy, type Study } from "../../src/studies/study.ts";
import { TrialPruned } from "../../src/studies/trial.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { inTemporaryFolder, runConfig } from "../support/run_data.ts";
import { type MlflowServer, serveMlflow } from "./mlflow_server.ts";

interface Sitting {
  study: Study;
  config: Config;
  tracker: StudyTracker;
  /** Runs a trial that ends with the value, or with the error. */
  run(outcome: number | Error): Promise<void>;
}

async function withStudies(test: (server: MlflowServer, sit: () => Promise<Sitting>) => Promise<void>): Promise<void> {
  const server = serveMlflow();
  try {
    await inTemporaryFolder(async (folder) => {
      const studies: Study[] = [];
      const config = runConfig(
        folder,
        "mlflow.enable=true",
        `mlflow.tracking_uri=${server.uri.replace("//", "//me:secret@")}`,
        "hpo.study_name=s",
      );
      const sit = async () => {
        const study = await createStudy({
          studyName: "s",
          storage: `sqlite:///${join(folder, "study.db")}`,
          direction: "maximize",
          loadIfExists: true,
          heartbeat: { graceSeconds: 0 },
        });
        studies.push(study);
        const tracker = (await openStudyTracker(config, silentReporter))!;
        const { observer } = tracker;
        await observer.opened!(study, finishedTrials(study.trials));
        const run = (outcome: number | Error) =>
          study.optimize(async (trial) => {
            const learning_rate = trial.suggestFloat("learning_rate", 1e-6, 5e-5, { log: true });
            observer.started!(trial, { ...config, training: { ...config.training, learning_rate } });
            if (typeof outcome === "number") await trial.report(outcome, 1);
            else throw outcome;
            return outcome;
          }, { nTrials: 1, catch: Error, callbacks: [(study, trial) => observer.ended!(study, trial)] });
        return { study, config, tracker, run };
      };
      try {
        await test(server, sit);
      } finally {
        for (const study of studies) await study.close();
      }
    });
  } finally {
    await server.stop();
  }
}

const nested = (server: MlflowServer) => {
  const parent = server.runNamed("s");
  return [...server.runs.values()].filter((run) => run.tags["mlflow.parentRunId"] === parent.run_id);
};

Deno.test("openStudyTracker: trials of two processes are in one run, which names the best and ends with the last", async () => {
  await withStudies(async (server, sit) => {
    const [one, two] = await Promise.all([sit(), sit()]);
    await one.run(0.5);
    await two.run(0.75);
    await one.run(0.25);
    const running = await two.study.ask();
    one.tracker.end("FINISHED");
    await one.tracker.close();
    assert.equal(server.runNamed("s").status, "RUNNING");
    await two.study.tell(running, 0.1);
    two.tracker.end("KILLED");
    await two.tracker.close();

    const study = server.runNamed("s");
    assert.equal(study.status, "KILLED");
    assert.deepEqual(nested(server).map(({ run_name }) => run_name).sort(), ["s trial 0", "s trial 1", "s trial 2"]);
    assert.equal(study.tags.best_trial, "1");
    assert.equal(study.tags.best_trial_run, server.runNamed("s trial 1").run_id);
    const metrics = study.metrics.toSorted((a, b) => a.step - b.step);
    assert.deepEqual(metrics.map(({ key, step, value }) => [key, step, value]), [
      ["best_f1", 1, 0.5],
      ["best_f1", 2, 0.75],
    ]);
    const text = (path: string) => new TextDecoder().decode(study.artifacts[path]);
    const best = parseConfigText(text("best/config.yaml"), "best");
    assert.equal(best.training.learning_rate, two.study.bestParams.learning_rate);
    assert.equal(best.output_dir, join("outputs", "s_best_1"));
    assert.match(text("config.yaml"), /^ {2}study_name: s$/m);
    assert.ok(!/secret/.test(text("config.yaml") + text("best/config.yaml")));
  });
});

Deno.test("openStudyTracker: a continued study goes on in its run; what trials came to is their status and tags", async () => {
  await withStudies(async (server, sit) => {
    const first = await sit();
    await first.run(0.5);
    await first.run(new TrialPruned());
    first.tracker.end("FINISHED");
    await first.tracker.close();
    const second = await sit();
    await second.run(new Error("a defect"));
    second.tracker.end("FINISHED");
    await second.tracker.close();

    const trials = nested(server);
    assert.deepEqual(trials.map(({ status, tags }) => [status, tags.state, tags.number, tags.study]), [
      ["FINISHED", "COMPLETE", "0", "s"],
      ["FINISHED", "PRUNED", "1", "s"],
      ["FAILED", "FAIL", "2", "s"],
    ]);
    assert.equal(trials[2].tags.fail_reason, "Error: a defect");
    assert.deepEqual(trials[0].metrics.map(({ key, value }) => [key, value]), [["reported_f1", 0.5], ["value", 0.5]]);
    assert.equal(trials[0].params["training.learning_rate"], `${second.study.trials[0].params.learning_rate}`);
    assert.equal(server.runNamed("s").status, "FINISHED");
    // The second process has not found a better one.
    assert.equal(server.runNamed("s").tags.best_trial, "0");
  });
});

Deno.test("openStudyTracker: the run of a trial whose process died ends with the next process", async () => {
  await withStudies(async (server, sit) => {
    const dead = await sit();
    const trial = await dead.study.ask();
    dead.tracker.observer.started!(trial, dead.config);
    await dead.study.storage.recordHeartbeat(trial.trialId);
    while (server.runs.size < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    while ((await dead.study.storage.staleTrialIds(dead.study.studyId, 0)).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const next = await sit();
    await next.run(0.5);
    next.tracker.end("FINISHED");
    await next.tracker.close();
    const left = server.runNamed("s trial 0");
    assert.deepEqual([left.status, left.tags.state], ["KILLED", "FAIL"]);
    assert.match(left.tags.fail_reason, /^no sign of life/);
    assert.equal(server.runNamed("s").status, "FINISHED");
    await dead.tracker.close();
  });
});
