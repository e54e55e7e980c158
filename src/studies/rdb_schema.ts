/** Optuna's relational schema, revision v3.2.0.a (Optuna 3.2 to 5.0). */

import { EntailError } from "../errors.ts";
import type { Sql, SqlRow } from "./sql_driver.ts";

export const SCHEMA_REVISION = "v3.2.0.a";

/** What databases spell differently. */
interface Types {
  /** Of an id that the database gives. */
  readonly serial: string;
  readonly time: string;
  readonly direction: string;
  readonly state: string;
  readonly valueType: string;
  readonly reportType: string;
}

const SQLITE: Types = {
  serial: "INTEGER",
  time: "DATETIME",
  direction: "VARCHAR(8)",
  state: "VARCHAR(8)",
  valueType: "VARCHAR(7)",
  reportType: "VARCHAR(7)",
};

const POSTGRES: Types = {
  serial: "SERIAL",
  time: "TIMESTAMP WITHOUT TIME ZONE",
  direction: "studydirection",
  state: "trialstate",
  valueType: "trialvaluetype",
  reportType: "trialintermediatevaluetype",
};

const POSTGRES_ENUMS = {
  studydirection: "'NOT_SET', 'MINIMIZE', 'MAXIMIZE'",
  trialstate: "'RUNNING', 'COMPLETE', 'PRUNED', 'FAIL', 'WAITING'",
  trialvaluetype: "'FINITE', 'INF_POS', 'INF_NEG'",
  trialintermediatevaluetype: "'FINITE', 'INF_POS', 'INF_NEG', 'NAN'",
};

function attributeTable({ serial }: Types, owner: "study" | "trial", kind: "user" | "system"): string {
  const table = `${owner}_${kind}_attribute`;
  return `CREATE TABLE IF NOT EXISTS ${table}s (
    ${table}_id ${serial} NOT NULL,
    ${owner}_id INTEGER,
    "key" VARCHAR(512),
    value_json TEXT,
    PRIMARY KEY (${table}_id),
    UNIQUE (${owner}_id, "key"),
    FOREIGN KEY(${owner}_id) REFERENCES ${owner === "study" ? "studies" : "trials"} (${owner}_id)
  )`;
}

/** The statements that make a new database; in SQLite they look in `sqlite_master` as Optuna's own. */
const tables = (types: Types): string[] => [
  `CREATE TABLE IF NOT EXISTS studies (
    study_id ${types.serial} NOT NULL,
    study_name VARCHAR(512) NOT NULL,
    PRIMARY KEY (study_id)
  )`,
  `CREATE UNIQUE INDEX IF NOT EXISTS ix_studies_study_name ON studies (study_name)`,
  `CREATE TABLE IF NOT EXISTS version_info (
    version_info_id INTEGER NOT NULL,
    schema_version INTEGER,
    library_version VARCHAR(256),
    PRIMARY KEY (version_info_id),
    CHECK (version_info_id=1)
  )`,
  `CREATE TABLE IF NOT EXISTS study_directions (
    study_direction_id ${types.serial} NOT NULL,
    direction ${types.direction} NOT NULL,
    study_id INTEGER NOT NULL,
    objective INTEGER NOT NULL,
    PRIMARY KEY (study_direction_id),
    UNIQUE (study_id, objective),
    FOREIGN KEY(study_id) REFERENCES studies (study_id)
  )`,
  attributeTable(types, "study", "user"),
  attributeTable(types, "study", "system"),
  `CREATE TABLE IF NOT EXISTS trials (
    trial_id ${types.serial} NOT NULL,
    number INTEGER,
    study_id INTEGER,
    state ${types.state} NOT NULL,
    datetime_start ${types.time},
    datetime_complete ${types.time},
    PRIMARY KEY (trial_id),
    FOREIGN KEY(study_id) REFERENCES studies (study_id)
  )`,
  `CREATE INDEX IF NOT EXISTS ix_trials_study_id ON trials (study_id)`,
  attributeTable(types, "trial", "user"),
  attributeTable(types, "trial", "system"),
  `CREATE TABLE IF NOT EXISTS trial_params (
    param_id ${types.serial} NOT NULL,
    trial_id INTEGER,
    param_name VARCHAR(512),
    param_value FLOAT,
    distribution_json TEXT,
    PRIMARY KEY (param_id),
    UNIQUE (trial_id, param_name),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
  )`,
  `CREATE TABLE IF NOT EXISTS trial_values (
    trial_value_id ${types.serial} NOT NULL,
    trial_id INTEGER NOT NULL,
    objective INTEGER NOT NULL,
    value FLOAT,
    value_type ${types.valueType} NOT NULL,
    PRIMARY KEY (trial_value_id),
    UNIQUE (trial_id, objective),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
  )`,
  `CREATE TABLE IF NOT EXISTS trial_intermediate_values (
    trial_intermediate_value_id ${types.serial} NOT NULL,
    trial_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    intermediate_value FLOAT,
    intermediate_value_type ${types.reportType} NOT NULL,
    PRIMARY KEY (trial_intermediate_value_id),
    UNIQUE (trial_id, step),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
  )`,
  `CREATE TABLE IF NOT EXISTS trial_heartbeats (
    trial_heartbeat_id ${types.serial} NOT NULL,
    trial_id INTEGER NOT NULL,
    heartbeat ${types.time} NOT NULL,
    PRIMARY KEY (trial_heartbeat_id),
    UNIQUE (trial_id),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
  )`,
  `CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
  )`,
];

const TABLES = tables(SQLITE).flatMap((statement) => /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(statement)?.[1] ?? []);

/**
 * Makes what is missing and checks the revision. Writes nothing to a complete database, and safe when several processes
 * do it at once, as long as it runs in one transaction. Throws when the tables belong to another revision.
 */
export async function prepareSqliteSchema(sql: Sql, place: string): Promise<void> {
  await prepareSchema(sql, place, await sqliteTables(sql), tables(SQLITE));
}

/** The same for PostgreSQL, in the schema that the connection's search path begins with. */
export async function preparePostgresSchema(sql: Sql, place: string): Promise<void> {
  // Others that make the same tables wait here: CREATE … IF NOT EXISTS alone fails when two do it at once.
  await sql.all("SELECT pg_advisory_xact_lock(hashtext('entail schema'))");
  const types = await sql.all("SELECT typname AS name FROM pg_type WHERE typtype = 'e' AND pg_type_is_visible(oid)");
  const missing = Object.entries(POSTGRES_ENUMS).filter(([name]) => !names(types).has(name));
  const enums = missing.map(([name, labels]) => `CREATE TYPE ${name} AS ENUM (${labels})`);
  await prepareSchema(sql, place, await postgresTables(sql), [...enums, ...tables(POSTGRES)]);
}

/** Data error where the tables of studies are not there, or belong to another revision. */
export const checkSqliteSchema = async (sql: Sql, place: string): Promise<void> =>
  checkSchema(sql, place, await sqliteTables(sql));

/** The same for PostgreSQL. */
export const checkPostgresSchema = async (sql: Sql, place: string): Promise<void> =>
  checkSchema(sql, place, await postgresTables(sql));

const names = (rows: readonly SqlRow[]): Set<unknown> => new Set(rows.map((row) => row.name));

const sqliteTables = async (sql: Sql) => names(await sql.all("SELECT name FROM sqlite_master WHERE type = 'table'"));

async function postgresTables(sql: Sql): Promise<Set<unknown>> {
  const visible = "SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid)";
  return names(await sql.all(visible));
}

async function prepareSchema(sql: Sql, place: string, existing: Set<unknown>, statements: string[]): Promise<void> {
  const revisions = await recordedRevisions(sql, place, existing);
  if (revisions.length > 0 && TABLES.every((table) => existing.has(table))) return;
  for (const statement of statements) await sql.all(statement);
  if (revisions.length === 0) {
    await sql.all("INSERT INTO alembic_version (version_num) VALUES (?)", [SCHEMA_REVISION]);
  }
  await sql.all(
    "INSERT INTO version_info (version_info_id, schema_version, library_version) VALUES (1, 12, '5.0.0') " +
      "ON CONFLICT (version_info_id) DO NOTHING",
  );
}

async function checkSchema(sql: Sql, place: string, existing: Set<unknown>): Promise<void> {
  await recordedRevisions(sql, place, existing);
  if (!existing.has("studies")) throw new EntailError("data", `${place}: holds no studies; run hpo first`);
}

async function recordedRevisions(sql: Sql, place: string, existing: Set<unknown>): Promise<SqlRow[]> {
  const revisions = existing.has("alembic_version") ? await sql.all("SELECT version_num FROM alembic_version") : [];
  if (revisions.length > 0) checkRevision(revisions.map((row) => String(row.version_num)), place);
  else if (existing.has("version_info")) await checkOldVersion(sql, place);
  return revisions;
}

function checkRevision(revisions: readonly string[], place: string): void {
  if (revisions.length === 1 && revisions[0] === SCHEMA_REVISION) return;
  throw new EntailError(
    "data",
    `${place}: the tables have Optuna's schema revision ${revisions.join(", ")}, not ${SCHEMA_REVISION}; ` +
      "run `optuna storage upgrade` with Optuna 3.2 to 5.0, or use another database",
  );
}

/** A database from before Optuna recorded revisions is too old unless its version number is the present one. */
async function checkOldVersion(sql: Sql, place: string): Promise<void> {
  const [row] = await sql.all("SELECT schema_version FROM version_info");
  if (row !== undefined && row.schema_version !== 12) {
    throw new EntailError(
      "data",
      `${place}: the tables are of an old Optuna (schema version ${row.schema_version}); run \`optuna storage upgrade\``,
    );
  }
}
