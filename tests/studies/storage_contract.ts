/** What every `Storage` must do. Each implementation's test file runs all of it on fresh storages. */

import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import {
  categoricalDistribution,
  type Distribution,
  floatDistribution,
  intDistribution,
} from "../../src/studies/distributions.ts";
import { type FrozenTrial, isFinished } from "../../src/studies/frozen_trial.ts";
import { Mt19937 } from "../../src/random/mt19937.ts";
import type { Storage, TrialChanges } from "../../src/studies/storage.ts";

/** Opens a fresh storage and, when asked, the same data once more, as another process would see it. */
export interface ContractSubject {
  open(): Promise<Storage>;
  /** Null for storages that live in one process. */
  reopen: (() => Promise<Storage>) | null;
  dispose(): Promise<void>;
}

const DOMAINS: Record<string, Distribution> = {
  lr: floatDistribution(1e-6, 5e-5, { log: true }),
  layers: intDistribution(1, 12),
  drop: floatDistribution(0, 0.3, { step: 0.05 }),
  kind: categoricalDistribution(["a", null, true, 1.5, 'é😀"\\\n']),
};
const PARAMS: TrialChanges = {
  params: [
    { name: "lr", internal: 1.25e-5, distribution: DOMAINS.lr },
    { name: "kind", internal: 4, distribution: DOMAINS.kind },
    { name: "layers", internal: 12, distribution: DOMAINS.layers },
    { name: "drop", internal: 0.15000000000000002, distribution: DOMAINS.drop },
  ],
};

function isData(error: unknown): boolean {
  return error instanceof EntailError && error.kind === "data";
}

/** A trial without the times, which depend on the clock. */
function timeless(trial: FrozenTrial): unknown {
  return { ...trial, datetimeStart: trial.datetimeStart !== null, datetimeComplete: trial.datetimeComplete !== null };
}

async function newStudy(storage: Storage, name = "study"): Promise<number> {
  return (await storage.createStudy(name, ["maximize"]))!.studyId;
}

const RULES: Record<string, (storage: Storage, subject: ContractSubject) => Promise<void>> = {
  "keeps studies with directions and attributes": async (storage) => {
    const studyId = await newStudy(storage, "é 1");
    assert.equal(await storage.createStudy("é 1", ["minimize"]), null);
    await storage.createStudy("two", ["minimize"]);
    await storage.setStudyAttr(studyId, "user", "note", { text: "é😀", list: [1, 2.5, null, true] });
    await storage.setStudyAttr(studyId, "user", "note", "later");
    await storage.setStudyAttr(studyId, "user", "added", 1);
    await storage.setStudyAttr(studyId, "user", "note", "last");
    await storage.setStudyAttr(studyId, "system", "note", NaN);
    const found = await storage.findStudy("é 1");
    assert.deepEqual(found, {
      studyId,
      studyName: "é 1",
      directions: ["maximize"],
      userAttrs: { note: "last", added: 1 },
      systemAttrs: { note: NaN },
    });
    assert.deepEqual(Object.keys(found!.userAttrs), ["note", "added"]);
    assert.equal(await storage.findStudy("three"), null);
    assert.deepEqual((await storage.listStudies()).map((study) => study.studyName), ["é 1", "two"]);
    await storage.deleteStudy(studyId);
    assert.deepEqual((await storage.listStudies()).map((study) => study.studyName), ["two"]);
  },

  "numbers trials within their study": async (storage) => {
    const [one, two] = [await newStudy(storage, "one"), await newStudy(storage, "two")];
    const numbers: number[] = [];
    for (const studyId of [one, two, one, one, two]) numbers.push((await storage.createTrial(studyId)).number);
    assert.deepEqual(numbers, [0, 0, 1, 2, 1]);
    assert.deepEqual((await storage.trials(one)).map((trial) => trial.number), [0, 1, 2]);
    const ids = [...await storage.trials(one), ...await storage.trials(two)].map((trial) => trial.trialId);
    assert.equal(new Set(ids).size, 5);
  },

  "keeps everything of a trial": async (storage) => {
    const studyId = await newStudy(storage);
    const { trialId } = await storage.createTrial(studyId);
    await storage.updateTrial(trialId, PARAMS);
    await storage.updateTrial(trialId, {
      intermediateValues: [[3, 0.5], [1, NaN], [2, Infinity]],
      userAttrs: { u: "é", n: [1, { x: -0.5 }] },
      systemAttrs: { completed_rung_0: 0.1, inf: -Infinity },
    });
    await storage.updateTrial(trialId, { userAttrs: { u: 2 } });
    assert.equal(await storage.finishTrial(trialId, "COMPLETE", [-Infinity], { userAttrs: { last: null } }), true);
    const [trial] = await storage.trials(studyId);
    assert.equal(trial.state, "COMPLETE");
    assert.equal(trial.value, -Infinity);
    assert.deepEqual(trial.values, [-Infinity]);
    assert.deepEqual(Object.entries(trial.params), [
      ["lr", 1.25e-5],
      ["kind", 'é😀"\\\n'],
      ["layers", 12],
      ["drop", 0.15000000000000002],
    ]);
    assert.deepEqual(trial.internalParams, { lr: 1.25e-5, kind: 4, layers: 12, drop: 0.15000000000000002 });
    assert.deepEqual(trial.distributions, DOMAINS);
    assert.deepEqual([...trial.intermediateValues], [[3, 0.5], [1, NaN], [2, Infinity]]);
    assert.deepEqual(trial.userAttrs, { u: 2, n: [1, { x: -0.5 }], last: null });
    assert.deepEqual(trial.systemAttrs, { completed_rung_0: 0.1, inf: -Infinity });
    assert.ok(trial.datetimeStart! <= trial.datetimeComplete!);
    assert.ok(Math.abs(Date.now() - trial.datetimeStart!.getTime()) < 60_000);
  },

  "adds templates as they are": async (storage) => {
    const studyId = await newStudy(storage);
    const datetimeStart = new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
    const datetimeComplete = new Date(Date.UTC(2026, 0, 2, 4));
    await storage.createTrial(studyId, { state: "COMPLETE", values: [2], datetimeStart, datetimeComplete, ...PARAMS });
    await storage.createTrial(studyId, { state: "WAITING", systemAttrs: { fixed_params: { lr: 3e-5 } } });
    const [done, waiting] = await storage.trials(studyId);
    assert.deepEqual([done.value, done.datetimeStart, done.datetimeComplete], [2, datetimeStart, datetimeComplete]);
    assert.equal(done.params.layers, 12);
    assert.deepEqual([waiting.state, waiting.value, waiting.datetimeStart], ["WAITING", null, null]);
    assert.deepEqual(waiting.systemAttrs, { fixed_params: { lr: 3e-5 } });
  },

  "starts each waiting trial once, then new ones": async (storage) => {
    const studyId = await newStudy(storage);
    await storage.createTrial(studyId);
    for (let i = 0; i < 2; i++) await storage.createTrial(studyId, { state: "WAITING" });
    const started = [1, 2, 3].map(() => storage.startTrial(studyId));
    const trials = (await Promise.all(started)).map((trial) => trial!);
    assert.deepEqual(trials.map(({ number, state }) => [number, state]), [[1, "RUNNING"], [2, "RUNNING"], [
      3,
      "RUNNING",
    ]]);
    assert.ok(trials.every(({ datetimeStart }) => datetimeStart !== null));
    assert.deepEqual((await storage.trials(studyId)).map(({ state }) => state), Array(4).fill("RUNNING"));
    await assert.rejects(storage.startTrial(99), isData);
  },

  "starts no trial beyond a goal; a running one counts while it shows signs of life": async (storage) => {
    const studyId = await newStudy(storage);
    const goal = { trials: 4, graceSeconds: 60 };
    // Ended: counts. Without a heartbeat: may be dead, does not count. Waiting: does not count.
    await storage.finishTrial((await storage.createTrial(studyId)).trialId, "FAIL", null);
    await storage.createTrial(studyId);
    await storage.createTrial(studyId, { state: "WAITING" });
    const started = await Promise.all(Array.from({ length: 5 }, () => storage.startTrial(studyId, goal)));
    assert.deepEqual(started.map((trial) => trial?.number ?? null), [2, 3, 4, null, null]);
    await storage.finishTrial(started[0]!.trialId, "COMPLETE", [1]);
    assert.equal(await storage.startTrial(studyId, goal), null);
    // From two seconds in the future on, the beats of this moment are old.
    assert.equal((await storage.startTrial(studyId, { trials: 3, graceSeconds: -2 }))?.number, 5);
  },

  "refuses to change what has ended or waits": async (storage) => {
    const studyId = await newStudy(storage);
    const ended = await storage.createTrial(studyId);
    assert.equal(await storage.finishTrial(ended.trialId, "PRUNED", null), true);
    assert.equal(await storage.finishTrial(ended.trialId, "COMPLETE", [1]), false);
    await assert.rejects(storage.updateTrial(ended.trialId, { userAttrs: { a: 1 } }), isData);
    const waiting = await storage.createTrial(studyId, { state: "WAITING" });
    await assert.rejects(storage.updateTrial(waiting.trialId, PARAMS), isData);
    await assert.rejects(storage.finishTrial(waiting.trialId, "FAIL", null), isData);
    assert.deepEqual((await storage.trials(studyId)).map((trial) => trial.state), ["PRUNED", "WAITING"]);
    assert.equal((await storage.trials(studyId))[0].value, null);
  },

  "refuses COMPLETE without a number": async (storage) => {
    const { trialId } = await storage.createTrial(await newStudy(storage));
    await assert.rejects(storage.finishTrial(trialId, "COMPLETE", null), EntailError);
    await assert.rejects(storage.finishTrial(trialId, "COMPLETE", [NaN]), EntailError);
  },

  "refuses a domain that does not fit the study, and keeps nothing of that change": async (storage) => {
    const studyId = await newStudy(storage);
    await storage.updateTrial((await storage.createTrial(studyId)).trialId, PARAMS);
    const { trialId } = await storage.createTrial(studyId);
    const wrong: Distribution[] = [
      intDistribution(1, 3),
      floatDistribution(1e-6, 5e-5),
      categoricalDistribution(["a"]),
    ];
    for (const distribution of wrong) {
      const params = [
        { name: "new", internal: 1, distribution: DOMAINS.layers },
        { name: "lr", internal: 1, distribution },
      ];
      await assert.rejects(storage.updateTrial(trialId, { params }), EntailError);
    }
    assert.deepEqual((await storage.trials(studyId))[1].params, {});
    const wider = { name: "lr", internal: 1e-3, distribution: floatDistribution(1e-6, 1, { log: true }) };
    await storage.updateTrial(trialId, { params: [wider] });
    assert.equal((await storage.trials(studyId))[1].params.lr, 1e-3);
  },

  "does not change what it has handed out": async (storage) => {
    const studyId = await newStudy(storage);
    const { trialId } = await storage.createTrial(studyId);
    const before = await storage.trials(studyId);
    const copy = structuredClone(before[0]);
    await storage.updateTrial(trialId, { ...PARAMS, userAttrs: { a: 1 }, intermediateValues: [[0, 1]] });
    await storage.finishTrial(trialId, "COMPLETE", [1]);
    await storage.createTrial(studyId);
    assert.equal(before.length, 1);
    assert.deepEqual(before[0], copy);
  },

  "knows unknown studies and trials": async (storage) => {
    await assert.rejects(storage.trials(99), isData);
    await assert.rejects(storage.createTrial(99), isData);
    await assert.rejects(storage.deleteStudy(99), isData);
    await assert.rejects(storage.setStudyAttr(99, "user", "a", 1), isData);
    await assert.rejects(storage.updateTrial(99, {}), isData);
    await assert.rejects(storage.finishTrial(99, "FAIL", null), isData);
  },

  "finds trials whose process has died": async (storage) => {
    const studyId = await newStudy(storage);
    const [silent, beating, ended] = [1, 2, 3].map(() => storage.createTrial(studyId));
    await storage.recordHeartbeat((await beating).trialId);
    await storage.recordHeartbeat((await ended).trialId);
    await storage.finishTrial((await ended).trialId, "FAIL", null);
    assert.equal((await silent).state, "RUNNING");
    assert.deepEqual(await storage.staleTrialIds(studyId, 60), []);
    // Times are kept in whole seconds: from one second in the future on, a beat of this moment is old.
    assert.deepEqual(await storage.staleTrialIds(studyId, -2), [(await beating).trialId]);
    await storage.recordHeartbeat((await beating).trialId);
    assert.deepEqual(await storage.staleTrialIds(studyId, 60), []);
  },

  "takes calls at the same time": async (storage) => {
    const studyId = await newStudy(storage);
    const trials = await Promise.all(Array.from({ length: 20 }, () => storage.createTrial(studyId)));
    assert.deepEqual(trials.map((trial) => trial.number).sort((a, b) => a - b), [...Array(20).keys()]);
    await Promise.all(trials.flatMap(({ trialId }) => [
      storage.updateTrial(trialId, { userAttrs: { a: 1 } }),
      storage.updateTrial(trialId, { userAttrs: { b: 2 } }),
      storage.trials(studyId),
    ]));
    for (const trial of await storage.trials(studyId)) assert.deepEqual(trial.userAttrs, { a: 1, b: 2 });
  },

  "follows a model under random operations": async (storage, subject) => {
    for (const seed of [1, 2, 3]) await randomOperations(storage, subject, seed);
  },
};

/** A hundred random operations, from two openings of the storage in turn, against a model of plain objects. */
async function randomOperations(first: Storage, subject: ContractSubject, seed: number): Promise<void> {
  const random = new Mt19937(seed);
  const pick = <T>(items: readonly T[]): T => items[random.interval(items.length - 1)];
  const storages = subject.reopen === null ? [first] : [first, await subject.reopen()];
  const studyId = await newStudy(first, `random ${seed}`);
  const model: { id: number; state: string; value: number | null; attrs: Record<string, number>; steps: number[] }[] =
    [];
  for (let i = 0; i < 100; i++) {
    const storage = pick(storages);
    const action = random.interval(9);
    const target = model.length === 0 ? null : pick(model);
    const waiting = model.find((trial) => trial.state === "WAITING");
    if (action <= 1 || target === null) {
      const state = random.interval(3) === 0 ? "WAITING" : "RUNNING";
      const trial = await storage.createTrial(studyId, state === "WAITING" ? { state } : undefined);
      assert.equal(trial.number, model.length);
      model.push({ id: trial.trialId, state, value: null, attrs: {}, steps: [] });
    } else if (action === 2 && waiting !== undefined) {
      assert.equal((await storage.startTrial(studyId))?.trialId, waiting.id);
      waiting.state = "RUNNING";
    } else if (action <= 4) {
      const changes = { userAttrs: { [pick(["a", "b"])]: i }, intermediateValues: [[i, i]] as [number, number][] };
      if (target.state === "RUNNING") {
        await storage.updateTrial(target.id, changes);
        Object.assign(target.attrs, changes.userAttrs);
        target.steps.push(i);
      } else await assert.rejects(storage.updateTrial(target.id, changes), isData);
    } else if (action <= 6) {
      const state = pick(["COMPLETE", "PRUNED", "FAIL"] as const);
      const values = state === "FAIL" ? null : [i / 7];
      if (target.state === "WAITING") await assert.rejects(storage.finishTrial(target.id, state, values), isData);
      else {
        const finished = await storage.finishTrial(target.id, state, values);
        assert.equal(finished, target.state === "RUNNING");
        if (finished) Object.assign(target, { state, value: values?.[0] ?? null });
      }
    } else {
      const seen = (await storage.trials(studyId)).map((trial) => ({
        id: trial.trialId,
        state: trial.state,
        value: trial.value,
        attrs: trial.userAttrs,
        steps: [...trial.intermediateValues.keys()],
      }));
      assert.deepEqual(seen, model);
    }
  }
  const views = await Promise.all(storages.map((storage) => storage.trials(studyId)));
  for (const view of views) assert.deepEqual(view.map(timeless), views[0].map(timeless));
  assert.ok(views[0].every((trial) => isFinished(trial.state) === (trial.datetimeComplete !== null)));
  for (const storage of storages) if (storage !== first) await storage.close();
}

/** Registers one test per rule. */
export function testStorage(name: string, makeSubject: () => ContractSubject | Promise<ContractSubject>): void {
  for (const [rule, check] of Object.entries(RULES)) {
    Deno.test(`${name}: ${rule}`, async () => {
      const subject = await makeSubject();
      const storage = await subject.open();
      try {
        await check(storage, subject);
      } finally {
        await storage.close();
        await subject.dispose();
      }
    });
  }
}
