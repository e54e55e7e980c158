import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { EntailError } from "../../src/errors.ts";
import { openStorage } from "../../src/studies/open_storage.ts";
import { openSqliteStorage, sqlitePath } from "../../src/studies/sqlite_storage.ts";
import { testStorage } from "./storage_contract.ts";

testStorage("SqliteStorage", () => {
  const folder = Deno.makeTempDirSync({ prefix: "entail-studies-" });
  const open = () => openSqliteStorage(`sqlite:///${folder}/study.db`);
  return { open, reopen: open, dispose: () => Deno.remove(folder, { recursive: true }) };
});

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "entail-studies-" });
  try {
    await body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function rows(path: string, sql: string): unknown[] {
  const db = new DatabaseSync(path);
  try {
    return db.prepare(sql).all().map((row) => ({ ...row }));
  } finally {
    db.close();
  }
}

Deno.test("sqlitePath: reads Optuna's URL forms", () => {
  assert.equal(sqlitePath("sqlite:///optuna.db"), "optuna.db");
  assert.equal(sqlitePath("sqlite:////data/optuna.db"), "/data/optuna.db");
  assert.equal(sqlitePath("sqlite+pysqlite:///a/b.db?timeout=5"), "a/b.db");
  assert.throws(() => sqlitePath("sqlite:///"), EntailError);
});

Deno.test("openStorage: names what is wrong with a URL or a file", () =>
  inFolder(async (folder) => {
    const usage = (error: unknown) => error instanceof EntailError && error.kind === "usage";
    await assert.rejects(openStorage("redis://x"), usage);
    await assert.rejects(openStorage("optuna.db"), usage);
    Deno.writeTextFileSync(
      `${folder}/text.db`,
      "this is not a database, but it is long enough to be looked at".repeat(20),
    );
    const data = (error: unknown) => {
      return error instanceof EntailError && error.kind === "data" && error.message.includes("text.db");
    };
    await assert.rejects(openStorage(`sqlite:///${folder}/text.db`), data);
    await assert.rejects(openStorage(`sqlite:///${folder}/none/x.db`), EntailError);
  }));

Deno.test("SqliteStorage: writes the rows that Optuna writes", () =>
  inFolder(async (folder) => {
    const path = `${folder}/study.db`;
    const storage = await openSqliteStorage(`sqlite:///${path}`);
    const study = (await storage.createStudy("s", ["maximize"]))!;
    const { trialId } = await storage.createTrial(study.studyId);
    await storage.updateTrial(trialId, {
      params: [
        {
          name: "lr",
          internal: 3,
          distribution: { kind: "float", low: 1e-6, high: 5, log: true, step: null },
        },
      ],
      intermediateValues: [[0, 1], [1, NaN], [2, Infinity], [3, -Infinity]],
      userAttrs: { "é": ["é", NaN] },
    });
    await storage.finishTrial(trialId, "COMPLETE", [Infinity]);
    await storage.recordHeartbeat(trialId);
    await storage.close();

    assert.deepEqual(rows(path, "SELECT * FROM version_info"), [
      { version_info_id: 1, schema_version: 12, library_version: "5.0.0" },
    ]);
    assert.deepEqual(rows(path, "SELECT * FROM alembic_version"), [{ version_num: "v3.2.0.a" }]);
    assert.deepEqual(rows(path, "SELECT * FROM study_directions"), [
      { study_direction_id: 1, direction: "MAXIMIZE", study_id: 1, objective: 0 },
    ]);
    assert.deepEqual(
      rows(path, "SELECT param_name, param_value, typeof(param_value) t, distribution_json FROM trial_params"),
      [
        {
          param_name: "lr",
          param_value: 3,
          t: "real",
          distribution_json:
            '{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 5.0, "log": true}}',
        },
      ],
    );
    assert.deepEqual(
      rows(path, "SELECT step, intermediate_value v, intermediate_value_type t FROM trial_intermediate_values"),
      [
        { step: 0, v: 1, t: "FINITE" },
        { step: 1, v: null, t: "NAN" },
        { step: 2, v: null, t: "INF_POS" },
        { step: 3, v: null, t: "INF_NEG" },
      ],
    );
    assert.deepEqual(rows(path, "SELECT objective, value, value_type FROM trial_values"), [
      { objective: 0, value: null, value_type: "INF_POS" },
    ]);
    assert.deepEqual(rows(path, 'SELECT "key" k, value_json v FROM trial_user_attributes'), [
      { k: "é", v: '["\\u00e9", NaN]' },
    ]);
    const [trial] = rows(path, "SELECT number, state, datetime_start s, datetime_complete c FROM trials") as {
      number: number;
      state: string;
      s: string;
      c: string;
    }[];
    assert.deepEqual([trial.number, trial.state], [0, "COMPLETE"]);
    for (const time of [trial.s, trial.c]) assert.match(time, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/);
    assert.match(
      String((rows(path, "SELECT heartbeat h FROM trial_heartbeats")[0] as { h: string }).h),
      /^[\d: -]{19}$/,
    );
  }));

Deno.test("SqliteStorage: refuses other schema revisions and mends missing tables", () =>
  inFolder(async (folder) => {
    const path = `${folder}/study.db`;
    const url = `sqlite:///${path}`;
    const change = (sql: string) => {
      const db = new DatabaseSync(path, { enableForeignKeyConstraints: false });
      db.exec(sql);
      db.close();
    };
    await (await openSqliteStorage(url)).close();
    change("UPDATE alembic_version SET version_num = 'v3.0.0.d'");
    await assert.rejects(openSqliteStorage(url), /v3\.0\.0\.d.*optuna storage upgrade/);
    change(
      "UPDATE alembic_version SET version_num = 'v3.2.0.a'; DROP TABLE trial_heartbeats; DELETE FROM version_info",
    );
    const storage = await openSqliteStorage(url);
    const study = (await storage.createStudy("s", ["minimize"]))!;
    await storage.recordHeartbeat((await storage.createTrial(study.studyId)).trialId);
    await storage.close();
    change("DROP TABLE alembic_version; UPDATE version_info SET schema_version = 11");
    await assert.rejects(openSqliteStorage(url), /schema version 11/);
  }));

Deno.test("SqliteStorage: names the file when the database fails, and rolls back", () =>
  inFolder(async (folder) => {
    const path = `${folder}/study.db`;
    const storage = await openSqliteStorage(`sqlite:///${path}`);
    const { studyId } = (await storage.createStudy("s", ["minimize"]))!;
    const { trialId } = await storage.createTrial(studyId);
    const db = new DatabaseSync(path);
    db.exec("ALTER TABLE trial_system_attributes RENAME TO elsewhere");
    const change = { userAttrs: { a: 1 }, systemAttrs: { b: 2 } };
    const broken = (error: unknown) => {
      return error instanceof EntailError && error.kind === "data" && error.message.startsWith(path);
    };
    await assert.rejects(storage.updateTrial(trialId, change), broken);
    db.exec("ALTER TABLE elsewhere RENAME TO trial_system_attributes");
    db.close();
    assert.deepEqual((await storage.trials(studyId))[0].userAttrs, {});
    await storage.updateTrial(trialId, change);
    assert.deepEqual((await storage.trials(studyId))[0].userAttrs, { a: 1 });
    await storage.close();
  }));

Deno.test("SqliteStorage: sees what another connection writes, without reading finished trials again", () =>
  inFolder(async (folder) => {
    const url = `sqlite:///${folder}/study.db`;
    const [one, two] = [await openSqliteStorage(url), await openSqliteStorage(url)];
    const { studyId } = (await one.createStudy("s", ["minimize"]))!;
    const first = await one.createTrial(studyId);
    await one.finishTrial(first.trialId, "COMPLETE", [1]);
    const [cached] = await two.trials(studyId);
    const second = await one.createTrial(studyId);
    assert.deepEqual((await two.trials(studyId)).map((trial) => trial.state), ["COMPLETE", "RUNNING"]);
    await one.finishTrial(second.trialId, "PRUNED", [2]);
    const trials = await two.trials(studyId);
    assert.deepEqual(trials.map((trial) => trial.value), [1, 2]);
    assert.equal(trials[0], cached);
    await one.close();
    await two.close();
  }));

Deno.test("SqliteStorage: what has been replaced is in the file no more", () =>
  inFolder(async (folder) => {
    const path = `${folder}/study.db`;
    const storage = await openSqliteStorage(`sqlite:///${path}`);
    const { studyId } = (await storage.createStudy("s", ["minimize"]))!;
    await storage.setStudyAttr(studyId, "user", "k", "s3cret".repeat(2000));
    await storage.setStudyAttr(studyId, "user", "k", "");
    await storage.close();
    assert.ok(!new TextDecoder("latin1").decode(Deno.readFileSync(path)).includes("s3cret"));
  }));
