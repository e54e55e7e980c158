import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { HyperbandPruner } from "../../src/studies/hyperband_pruner.ts";
import { MedianPruner } from "../../src/studies/median_pruner.ts";
import { MemoryStorage } from "../../src/studies/memory_storage.ts";
import { RandomSampler } from "../../src/studies/random_sampler.ts";
import { STREAM_ATTRIBUTE } from "../../src/studies/sampler.ts";
import { createStudy, loadStudy } from "../../src/studies/study.ts";
import { TPESampler } from "../../src/studies/tpe.ts";
import { type Trial, TrialPruned } from "../../src/studies/trial.ts";
import { FUNCTIONS } from "./functions.ts";

const usage = (error: unknown): error is EntailError => error instanceof EntailError && error.kind === "usage";
const data = (error: unknown) => error instanceof EntailError && error.kind === "data";

async function withFile(body: (url: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "entail-studies-" });
  try {
    await body(`sqlite:///${folder}/study.db`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A random-sampling study without heartbeats. */
function plainStudy(options: Parameters<typeof createStudy>[0] = {}) {
  return createStudy({ sampler: new RandomSampler({ seed: 1 }), heartbeat: null, ...options });
}

Deno.test("createStudy: the example of the library's contract runs", () =>
  withFile(async (storage) => {
    const study = await createStudy({
      studyName: "demo",
      storage,
      direction: "maximize",
      sampler: new TPESampler({ seed: 1 }),
      pruner: new HyperbandPruner({ minResource: 1, maxResource: 40, reductionFactor: 4, bootstrapCount: 30 }),
      loadIfExists: true,
    });
    await study.optimize(async (trial) => {
      const lr = trial.suggestFloat("lr", 1e-6, 5e-5, { log: true });
      const layers = trial.suggestInt("layers", 1, 6);
      const schedule = trial.suggestCategorical("schedule", ["linear", "cosine"]);
      const value = layers - Math.abs(Math.log10(lr) + 5) + (schedule === "cosine" ? 1 : 0);
      await trial.report(value, 0);
      if (await trial.shouldPrune()) throw new TrialPruned();
      return value;
    }, { nTrials: 15 });
    assert.equal(study.trials.length, 15);
    assert.equal(study.bestValue, Math.max(...study.trials.map((trial) => trial.value!)));
    assert.equal(study.bestTrial.value, study.bestValue);
    assert.deepEqual(study.bestParams, study.bestTrial.params);
    await study.close();
  }));

Deno.test("createStudy, loadStudy: find, continue and refuse studies", () =>
  withFile(async (storage) => {
    const first = await plainStudy({ studyName: "one", storage, direction: "maximize" });
    await first.optimize(() => 1, { nTrials: 1 });
    await first.setUserAttr("note", [1, "é"]);
    await first.close();
    await assert.rejects(plainStudy({ studyName: "one", storage }), usage);
    const again = await plainStudy({ studyName: "one", storage, direction: "minimize", loadIfExists: true });
    assert.deepEqual([again.direction, again.bestValue], ["maximize", 1]);
    assert.deepEqual(await again.userAttrs(), { note: [1, "é"] });
    await again.close();
    const only = await loadStudy({ storage });
    assert.equal(only.studyName, "one");
    await assert.rejects(loadStudy({ storage, studyName: "two" }), data);
    await only.close();
    await (await plainStudy({ studyName: "two", storage })).close();
    await assert.rejects(loadStudy({ storage }), /holds 2 studies/);
    await assert.rejects(createStudy({ direction: "up" as "minimize" }), usage);
  }));

Deno.test("openStorage: says what is wrong with a place, without its password", async () => {
  for (const url of ["postgresql://me:secret@host/db?colour=1", "mysql+x://me:secret:@host/db"]) {
    await assert.rejects(createStudy({ storage: url }), (error: unknown) => {
      return usage(error) && /^\S+:\/\/me:\*\*\*@host\/db\S*: /.test(error.message) &&
        !error.message.includes("secret");
    });
  }
  await assert.rejects(
    createStudy({ storage: "sqlite:///no/such/x.db" }),
    /no\/such\/x.db: there is no folder no\/such/,
  );
});

Deno.test("Study: refuses studies with several objectives", async () => {
  const storage = new MemoryStorage();
  await storage.createStudy("two objectives", ["minimize", "maximize"]);
  await assert.rejects(loadStudy({ storage }), data);
});

Deno.test("Study.bestTrial: ignores trials that fail, are pruned or violate a constraint", async () => {
  const study = await plainStudy();
  assert.throws(() => study.bestTrial, data);
  const values = [3, NaN, 0, -5, 1, 1];
  await study.optimize(async (trial) => {
    await trial.report(values[trial.number], 1);
    if (trial.number === 2) throw new TrialPruned();
    await trial.setConstraint("c", trial.number === 3 ? 0.1 : 0);
    return values[trial.number];
  }, { nTrials: values.length });
  assert.equal(study.trials.map((trial) => trial.state[0]).join(""), "CFPCCC");
  assert.deepEqual([study.bestTrial.number, study.bestValue], [4, 1]);
  assert.equal(study.trials[2].value, 0);
  assert.match(String(study.trials[1].userAttrs.fail_reason), /NaN/);
});

Deno.test("Study.optimize: an error fails the trial and is thrown on, unless it is caught", async () => {
  const study = await plainStudy();
  const objective = (trial: Trial) => {
    trial.suggestFloat("x", 0, 1);
    if (trial.number === 1) throw new RangeError("broken");
    return 1;
  };
  await assert.rejects(study.optimize(objective, { nTrials: 5 }), RangeError);
  assert.deepEqual(study.trials.map((trial) => trial.state), ["COMPLETE", "FAIL"]);
  assert.equal(study.trials[1].userAttrs.fail_reason, "RangeError: broken");
  const failing = () => Promise.reject(new RangeError("later"));
  await study.optimize(failing, { nTrials: 2, catch: RangeError });
  await assert.rejects(
    study.optimize(failing, { nTrials: 2, catch: [TypeError, SyntaxError] }),
    RangeError,
  );
  assert.equal(study.trials.filter((trial) => trial.state === "FAIL").length, 4);
});

Deno.test("Study.optimize: callbacks see each trial and can stop the study", async () => {
  const study = await plainStudy();
  const seen: number[] = [];
  await study.optimize((trial) => trial.number, {
    callbacks: [(_, trial) => void seen.push(trial.value!), (study) => seen.length === 3 ? study.stop() : undefined],
  });
  assert.deepEqual(seen, [0, 1, 2]);
  await study.optimize(() => 0, { nTrials: 1 });
  assert.equal(study.trials.length, 4);
});

Deno.test("Study.optimize: totalTrials counts finished trials and those that others run", async () => {
  const study = await createStudy({ sampler: new RandomSampler({ seed: 1 }) });
  await study.optimize(() => 1, { nTrials: 2 });
  const other = await study.askUpTo(4);
  await study.optimize((trial) => trial.number === 3 ? NaN : 1, { totalTrials: 4 });
  assert.equal(study.trials.map(({ state }) => state[0]).join(""), "CCRF");
  assert.equal(await study.askUpTo(4), null);
  await study.tell(other!, 1);
  await study.optimize(() => 1, { totalTrials: 6, nTrials: 1 });
  // Loops within one process share the goal as well.
  await Promise.all([1, 2, 3].map(() => study.optimize(() => Promise.resolve(1), { totalTrials: 9 })));
  assert.equal(study.trials.length, 9);
  await assert.rejects((await plainStudy()).optimize(() => 1, { totalTrials: 9 }), usage);
});

Deno.test("Study.optimize: aborting leaves nothing running", () =>
  withFile(async (storage) => {
    const study = await plainStudy({ storage, studyName: "s" });
    const controller = new AbortController();
    let ended = false;
    const running = study.optimize(async (trial) => {
      trial.suggestFloat("x", 0, 1);
      if (trial.number === 0) return 1;
      await trial.report(1, 1);
      controller.abort();
      try {
        // The trial has been failed behind the objective's back: its next report ends it.
        await trial.report(2, 2);
      } finally {
        ended = true;
      }
      return 2;
    }, { signal: controller.signal });
    await assert.rejects(running, (error: unknown) => error instanceof EntailError && error.kind === "interrupted");
    assert.ok(ended);
    assert.deepEqual(study.trials.map((trial) => trial.state), ["COMPLETE", "FAIL"]);
    assert.equal(study.trials[1].userAttrs.fail_reason, "interrupted");
    await assert.rejects(study.optimize(() => 1, { signal: controller.signal }), EntailError);
    assert.equal(study.trials.length, 2);
    await study.close();
  }));

Deno.test("Study.optimize: goes on when another process has declared its trial dead", () =>
  withFile(async (storage) => {
    const study = await plainStudy({ storage, studyName: "s" });
    const other = await loadStudy({ storage });
    await study.optimize(async (trial) => {
      trial.suggestFloat("x", 0, 1);
      await trial.report(1, 1);
      if (trial.number === 0) await other.storage.finishTrial(trial.trialId, "FAIL", null);
      await trial.report(2, 2);
      return 1;
    }, { nTrials: 2 });
    assert.deepEqual(study.trials.map((trial) => [trial.state, trial.intermediateValues.size]), [["FAIL", 1], [
      "COMPLETE",
      2,
    ]]);
    await study.close();
    await other.close();
  }));

Deno.test("Study.enqueueTrial: runs queued values first, and samples what they leave out", async () => {
  const study = await plainStudy();
  await study.enqueueTrial({ x: 0.25, kind: "b" }, { userAttrs: { why: "known good" } });
  await study.enqueueTrial({ x: 7 });
  await study.optimize((trial) => {
    trial.suggestCategorical("kind", ["a", "b"]);
    return trial.suggestFloat("x", 0, 1);
  }, { nTrials: 3 });
  const [first, second, third] = study.trials;
  assert.deepEqual([first.params, first.userAttrs], [{ kind: "b", x: 0.25 }, { why: "known good" }]);
  assert.equal(second.params.x, 7); // Out of range is the caller's choice, as in Optuna.
  assert.ok(["a", "b"].includes(String(second.params.kind)));
  assert.ok(Number(third.params.x) < 1);
});

Deno.test("Study.ask, Study.tell: states and values by Optuna's rules", async () => {
  const study = await plainStudy();
  const [a, b, c, d] = [await study.ask(), await study.ask(), await study.ask(), await study.ask()];
  assert.deepEqual([a, b, c, d].map((trial) => trial.number), [0, 1, 2, 3]);
  assert.equal((await study.tell(a, 1.5)).state, "COMPLETE");
  assert.equal((await study.tell(b.number, NaN)).state, "FAIL");
  await c.report(0.25, 3);
  await c.report(9, 1);
  const pruned = await study.tell(c, null, { state: "PRUNED" });
  assert.deepEqual([pruned.state, pruned.value], ["PRUNED", 0.25]);
  await assert.rejects(study.tell(d, null, { state: "COMPLETE" }), usage);
  await assert.rejects(study.tell(d, 1, { state: "FAIL" }), usage);
  await assert.rejects(study.tell(a, 2), usage);
  await assert.rejects(study.tell(9, 2), usage);
  assert.equal((await study.tell(a, 2, { skipIfFinished: true })).value, 1.5);
  assert.equal((await study.tell(d)).state, "FAIL");
});

Deno.test("Trial: a value proposed once stays, and domains cannot change their kind", async () => {
  const study = await plainStudy();
  const first = await study.ask();
  const x = first.suggestFloat("x", 0, 1);
  assert.equal(first.suggestFloat("x", 0, 2), x);
  assert.throws(() => first.suggestInt("x", 0, 1), usage);
  assert.equal(first.suggestFloat("single", 0.5, 0.5), 0.5);
  assert.deepEqual(first.params, { x, single: 0.5 });
  await study.tell(first, x);
  const second = await study.ask();
  assert.throws(() => second.suggestFloat("x", 0.5, 1, { log: true }), usage);
  assert.throws(() => second.suggestCategorical("x", [0, 1]), usage);
});

Deno.test("Trial.report: the first report of a step counts, and bad ones are refused", async () => {
  const study = await plainStudy({ pruner: new MedianPruner() });
  const trial = await study.ask();
  assert.equal(await trial.shouldPrune(), false);
  await trial.report(1, 0);
  await trial.report(2, 0);
  await assert.rejects(trial.report(1, -1), usage);
  await assert.rejects(trial.report(1, 0.5), usage);
  await assert.rejects(trial.report("1" as unknown as number, 1), usage);
  assert.deepEqual([...(await study.refresh())[0].intermediateValues], [[0, 1]]);
});

Deno.test("Trial: refuses names and attributes that it cannot hold, and goes on", async () => {
  const study = await plainStudy();
  const trial = await study.ask();
  for (const name of ["__proto__", "constructor", "toString"]) {
    assert.throws(() => trial.suggestFloat(name, 0, 1), usage);
  }
  for (const value of [undefined, () => 1, 5n, new Date(0), new Map(), [Symbol()], { a: { b: () => 1 } }]) {
    await assert.rejects(trial.setUserAttr("odd", value as never), usage);
  }
  await trial.setUserAttr("plain", { a: [1, null], left: undefined } as never);
  const told = await study.tell(trial, 1);
  assert.deepEqual([told.state, told.params, told.userAttrs.odd], ["COMPLETE", {}, undefined]);
});

Deno.test("Trial: stores proposed values as soon as the objective waits", () =>
  withFile(async (storage) => {
    const study = await plainStudy({ storage, studyName: "s" });
    const other = await loadStudy({ storage, studyName: "s" });
    await study.optimize(async (trial) => {
      trial.suggestFloat("x", 0, 1);
      trial.suggestInt("n", 1, 3);
      await new Promise((resolve) => setTimeout(resolve, 1));
      assert.deepEqual(Object.keys((await other.refresh())[0].params), ["x", "n"]);
      return 1;
    }, { nTrials: 1 });
    await study.close();
    await other.close();
  }));

for (const make of [() => new TPESampler({ seed: 4 }), () => new RandomSampler({ seed: 4 })]) {
  Deno.test(`${make().constructor.name}: a resumed study continues its random stream`, () =>
    withFile(async (storage) => {
      const objective = FUNCTIONS.conditional;
      const whole = await createStudy({ studyName: "whole", sampler: make(), heartbeat: null });
      await whole.optimize(objective, { nTrials: 30 });
      for (const nTrials of [7, 9, 14]) {
        const part = await createStudy({ studyName: "part", storage, sampler: make(), loadIfExists: true });
        await part.optimize(objective, { nTrials });
        if (part.trials.length === 30) {
          assert.deepEqual(part.trials.map((trial) => trial.params), whole.trials.map((trial) => trial.params));
        }
        assert.ok(STREAM_ATTRIBUTE in part.trials.at(-1)!.systemAttrs);
        await part.close();
      }
    }));
}

Deno.test("TPESampler: two workers with one seed do not repeat each other's start-up values", () =>
  withFile(async (storage) => {
    const open = () =>
      createStudy({ studyName: "s", storage, sampler: new TPESampler({ seed: 4 }), loadIfExists: true });
    const [one, two] = [await open(), await open()];
    const values: number[] = [];
    // Started in the same moment: neither has stored yet what it draws.
    const [a, b] = [await one.ask(), await two.ask()];
    values.push(a.suggestFloat("x", 0, 1), b.suggestFloat("x", 0, 1));
    await one.tell(a, 1);
    await two.tell(b, 1);
    for (const study of [one, two, one, two]) {
      const trial = await study.ask();
      values.push(trial.suggestFloat("x", 0, 1));
      await study.tell(trial, 1);
    }
    assert.equal(new Set(values).size, 6);
    await one.close();
    await two.close();
  }));

Deno.test("TPESampler: running trials carry their joint sample as Optuna stores it", async () => {
  const study = await createStudy({ sampler: new TPESampler({ seed: 0 }), heartbeat: null });
  await study.optimize(FUNCTIONS.conditional, { nTrials: 12 });
  const trial = await study.ask();
  const lr = trial.suggestFloat("lr", 1e-5, 1e-1, { log: true });
  await trial.settle();
  const [piece] = (await study.refresh()).filter((t) => t.state === "RUNNING").map((t) => {
    return String(t.systemAttrs["tpe:relative_params:0"]);
  });
  assert.match(piece, /^\{"aug_enable": (true|false), "lr": [\d.e-]+\}$/);
  assert.equal(JSON.parse(piece).lr, lr);
});

Deno.test("TPESampler: is clearly better than random sampling", async () => {
  const best = async (sampler: TPESampler | RandomSampler) => {
    const study = await createStudy({ sampler, heartbeat: null });
    await study.optimize(FUNCTIONS.hartmann6, { nTrials: 60 });
    return study.bestValue;
  };
  let wins = 0;
  for (let seed = 0; seed < 5; seed++) {
    if (await best(new TPESampler({ seed })) < await best(new RandomSampler({ seed }))) wins++;
  }
  assert.ok(wins >= 4, `TPE won on ${wins} of 5 seeds`);
});

Deno.test("TPESampler: refuses options that contradict each other", () => {
  assert.throws(() => new TPESampler({ group: true, multivariate: false }), usage);
  assert.throws(() => new TPESampler({ nEiCandidates: 0 }), usage);
});
