import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { openStorage } from "../../src/studies/open_storage.ts";
import { postgresAddress } from "../../src/studies/postgres_address.ts";
import { createStudy, loadStudy } from "../../src/studies/study.ts";
import { startPostgres } from "./postgres_server.ts";
import { testStorage } from "./storage_contract.ts";
import { spawnWorker } from "./spawn_worker.ts";

const server = await startPostgres();
Deno.test.afterAll(() => server.remove());

testStorage("PostgresStorage", async () => {
  const url = await server.newDatabase();
  const open = () => openStorage(url);
  return { open, reopen: open, dispose: () => Promise.resolve() };
});

async function withEnvironment(values: Record<string, string>, body: () => Promise<void>): Promise<void> {
  const before = Object.keys(values).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(values)) Deno.env.set(name, value);
  try {
    await body();
  } finally {
    for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  }
}

Deno.test("postgresAddress: reads SQLAlchemy's and libpq's forms, and libpq's variables", async () => {
  const address = async (url: string) => {
    const { connectSeconds: _, ...rest } = await postgresAddress(url);
    return rest;
  };
  const whole = { host: "db.example.org", port: 6543, user: "me", database: "studies" };
  const shown = "postgresql://me@db.example.org:6543/studies";
  for (const driver of ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+psycopg"]) {
    assert.deepEqual(
      await address(`${driver}://me:p%40ss%2Fword@db.example.org:6543/studies?sslmode=require`),
      { ...whole, password: "p@ss/word", ssl: "require", shown },
    );
  }
  const folder = Deno.makeTempDirSync({ prefix: "entail-pgpass-" });
  Deno.writeTextFileSync(`${folder}/pgpass`, "elsewhere:*:*:me:no\nlocalhost:*:studies:me:of\\:file\n", {
    mode: 0o600,
  });
  const variables = { PGHOST: "localhost", PGPORT: "6543", PGUSER: "me", PGDATABASE: "studies", PGSSLMODE: "disable" };
  await withEnvironment({ ...variables, PGPASSFILE: `${folder}/pgpass` }, async () => {
    const expected = { ...whole, host: "localhost", ssl: false, shown: "postgresql://me@localhost:6543/studies" };
    assert.deepEqual(await address("postgresql://"), { ...expected, password: "of:file" });
    await withEnvironment({ PGPASSWORD: "of variable" }, async () => {
      assert.deepEqual(await address("postgresql://"), { ...expected, password: "of variable" });
    });
    for (const url of ["postgresql:///studies?host=/run/db", "postgresql://%2Frun%2Fdb/studies"]) {
      const socket = { host: "/run/db", password: "of:file", shown: "postgresql://me@:6543/studies?host=/run/db" };
      assert.deepEqual(await address(url), { ...expected, ...socket });
    }
  });
  Deno.removeSync(folder, { recursive: true });
  for (const url of ["postgresql://me:a/b@c:x/d", "postgresql://h/d?sslmode=maybe", "postgresql://h/d?colour=1"]) {
    await assert.rejects(postgresAddress(url), (error: unknown) => {
      return error instanceof EntailError && error.kind === "usage" && !error.message.includes("a/b");
    });
  }
});

Deno.test("openStorage: says what is wrong with a server, without the password", async () => {
  const url = await server.newDatabase();
  const change = (part: "hostname" | "port" | "username" | "password" | "pathname", value: string) => {
    const changed = new URL(url);
    changed[part] = value;
    return changed.href;
  };
  const cases: [string, RegExp][] = [
    [change("password", "wr0ng"), /password authentication failed.*PGPASSWORD/],
    [change("username", "stranger"), /authentication failed/],
    [change("pathname", "/none"), /database "none" does not exist; make it/],
    [change("hostname", "nowhere.invalid"), /nowhere\.invalid/],
    [change("port", "1"), /127\.0\.0\.1:1\/.*ECONNREFUSED/],
  ];
  for (const [wrong, expected] of cases) {
    await assert.rejects(openStorage(wrong), (error: unknown) => {
      assert.ok(error instanceof EntailError && error.kind === "data", String(error));
      assert.match(error.message, expected);
      assert.doesNotMatch(error.message, /s3cret|wr0ng/);
      return true;
    });
  }
  await (await openStorage(url)).close();
  await server.run(url, "UPDATE alembic_version SET version_num = 'v3.0.0.d'");
  await assert.rejects(openStorage(url), /v3\.0\.0\.d.*optuna storage upgrade/);
});

/** What an administrator sees of a database: columns, constraints, indexes, enumerations, sequences. */
const LOOK = `
  SELECT table_name || '.' || column_name || ' ' || udt_name || ' ' || coalesce(character_maximum_length::text, '') || ' ' ||
    is_nullable || ' ' || coalesce(column_default, '') AS line FROM information_schema.columns WHERE table_schema = 'public'
  UNION ALL SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
  UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
  UNION ALL SELECT t.typname || ' ' || e.enumsortorder || ' ' || e.enumlabel FROM pg_enum e
    JOIN pg_type t ON t.oid = e.enumtypid
  UNION ALL SELECT sequence_name || ' ' || data_type FROM information_schema.sequences
  ORDER BY line`;

Deno.test("PostgresStorage: makes the tables that Optuna makes, and writes nothing where they are", async () => {
  const [own, theirs] = [await server.newDatabase(), await server.newDatabase()];
  await (await openStorage(own)).close();
  await server.run(theirs, Deno.readTextFileSync(new URL("../fixtures/studies/optuna.sql", import.meta.url)));
  const lines = async (url: string) => (await server.run(url, LOOK)).map(({ line }) => line);
  assert.deepEqual(await lines(own), await lines(theirs));
  await server.run(own, "CREATE ROLE reader LOGIN PASSWORD 'r'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader");
  const reader = new URL(own);
  [reader.username, reader.password] = ["reader", "r"];
  const storage = await openStorage(reader.href);
  assert.deepEqual(await storage.listStudies(), []);
  await storage.close();
});

Deno.test("PostgresStorage: processes that start together, and a server that is killed twice, lose no result", async () => {
  const url = await server.newDatabase();
  const workers = Array.from({ length: 4 }, () => spawnWorker(url, "many", "200", "total=60"));
  const done = Promise.all(workers.map((worker) => worker.output()));
  const finished = async () => {
    const [{ count }] = await server.run(url, "SELECT count(*)::int AS count FROM trials WHERE state <> 'RUNNING'")
      .catch(() => [{ count: 0 }]);
    return count as number;
  };
  for (const trials of [10, 30]) {
    while (await finished() < trials) await new Promise((resolve) => setTimeout(resolve, 20));
    await server.kill();
    await server.start();
  }
  for (const { stderr, success } of await done) {
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.ok(success);
  }
  const study = await loadStudy({ storage: url });
  assert.deepEqual(study.trials.map(({ number }) => number), [...study.trials.keys()]);
  const ended = study.trials.filter(({ state }) => state === "COMPLETE");
  // A trial whose beginning was under way when the server went may have been given up.
  assert.ok(study.trials.length - ended.length <= 8);
  assert.ok(study.trials.every(({ state }) => state === "COMPLETE" || state === "FAIL"));
  assert.equal(study.trials.length, 60);
  assert.ok(ended.every((trial) => trial.intermediateValues.size === 1 && Object.keys(trial.params).length === 2));
  await study.close();
});

Deno.test("PostgresStorage: is reached through a socket and waits while the server is away", async () => {
  const url = new URL(await server.newDatabase());
  const socket = `postgresql://entail:${url.password}@/${
    url.pathname.slice(1)
  }?host=${server.folder}&port=${server.port}`;
  const study = await createStudy({ studyName: "s", storage: socket, direction: "maximize" });
  const trial = await study.ask();
  await server.kill();
  const told = study.tell(trial, 0.5);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await server.start();
  assert.equal((await told).value, 0.5);
  await study.close();
});
