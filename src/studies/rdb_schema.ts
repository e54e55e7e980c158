/** Optuna's relational schema, revision v3.2.0.a (Optuna 3.2 to 5.0). */

import { EntailError } from "../errors.ts";
import type { Sql } from "./sql_driver.ts";

export const SCHEMA_REVISION = "v3.2.0.a";

function attributeTable(owner: "study" | "trial", kind: "user" | "system"): string {
  const table = `${owner}_${kind}_attribute`;
  return `CREATE TABLE IF NOT EXISTS ${table}s (
    ${table}_id INTEGER NOT NULL,
    ${owner}_id INTEGER,
    "key" VARCHAR(512),
    value_json TEXT,
    PRIMARY KEY (${table}_id),
    UNIQUE (${owner}_id, "key"),
    FOREIGN KEY(${owner}_id) REFERENCES ${owner === "study" ? "studies" : "trials"} (${owner}_id)
  )`;
}

/** The statements that make a new SQLite database, as Optuna's own look in `sqlite_master`. */
const SQLITE_TABLES = [
  `CREATE TABLE IF NOT EXISTS studies (
    study_id INTEGER NOT NULL,
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
    study_direction_id INTEGER NOT NULL,
    direction VARCHAR(8) NOT NULL,
    study_id INTEGER NOT NULL,
    objective INTEGER NOT NULL,
    PRIMARY KEY (study_direction_id),
    UNIQUE (study_id, objective),
    FOREIGN KEY(study_id) REFERENCES studies (study_id)
  )`,
  attributeTable("study", "user"),
  attributeTable("study", "system"),
  `CREATE TABLE IF NOT EXISTS trials (
    trial_id INTEGER NOT NULL,
    number INTEGER,
    study_id INTEGER,
    state VARCHAR(8) NOT NULL,
    datetime_start DATETIME,
    datetime_complete DATETIME,
    PRIMARY KEY (trial_id),
    FOREIGN KEY(study_id) REFERENCES studies (study_id)
  )`,
  `CREATE INDEX IF NOT EXISTS ix_trials_study_id ON trials (study_id)`,
  attributeTable("trial", "user"),
  attributeTable("trial", "system"),
  `CREATE TABLE IF NOT EXISTS trial_params (
    param_id INTEGER NOT NULL,
    trial_id INTEGER,
    param_name VARCHAR(512),
    param_value FLOAT,
    distribution_json TEXT,
    PRIMARY KEY (param_id),
    UNIQUE (trial_id, param_name),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
  )`,
  `CREATE TABLE IF NOT EXISTS trial_values (
    trial_value_id INTEGER NOT NULL,
    trial_id INTEGER NOT NULL,
    objective INTEGER NOT NULL,
    value FLOAT,
    value_type VARCHAR(7) NOT NULL,
    PRIMARY KEY (trial_value_id),
    UNIQUE (trial_id, objective),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
  )`,
  `CREATE TABLE IF NOT EXISTS trial_intermediate_values (
    trial_intermediate_value_id INTEGER NOT NULL,
    trial_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    intermediate_value FLOAT,
    intermediate_value_type VARCHAR(7) NOT NULL,
    PRIMARY KEY (trial_intermediate_value_id),
    UNIQUE (trial_id, step),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
  )`,
  `CREATE TABLE IF NOT EXISTS trial_heartbeats (
    trial_heartbeat_id INTEGER NOT NULL,
    trial_id INTEGER NOT NULL,
    heartbeat DATETIME NOT NULL,
    PRIMARY KEY (trial_heartbeat_id),
    UNIQUE (trial_id),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
  )`,
  `CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
  )`,
];

/**
 * Makes what is missing and checks the revision. Harmless on a complete database, and safe when several processes do
 * it at once, as long as it runs in one transaction. Throws when the tables belong to another revision.
 */
export async function prepareSqliteSchema(sql: Sql, place: string): Promise<void> {
  const { revisions } = await recordedVersion(sql, place);
  for (const statement of SQLITE_TABLES) await sql.all(statement);
  if (revisions.length === 0) {
    await sql.all("INSERT INTO alembic_version (version_num) VALUES (?)", [SCHEMA_REVISION]);
  }
  await sql.all(
    "INSERT INTO version_info (version_info_id, schema_version, library_version) VALUES (1, 12, '5.0.0') " +
      "ON CONFLICT (version_info_id) DO NOTHING",
  );
}

/** Data error where the tables of studies are not there, or belong to another revision. */
export async function checkSqliteSchema(sql: Sql, place: string): Promise<void> {
  const { names } = await recordedVersion(sql, place);
  if (!names.has("studies")) throw new EntailError("data", `${place}: holds no studies; run hpo first`);
}

async function recordedVersion(sql: Sql, place: string) {
  const existing = await sql.all("SELECT name FROM sqlite_master WHERE type = 'table'");
  const names = new Set(existing.map((row) => row.name));
  const revisions = names.has("alembic_version") ? await sql.all("SELECT version_num FROM alembic_version") : [];
  if (revisions.length > 0) checkRevision(revisions.map((row) => String(row.version_num)), place);
  else if (names.has("version_info")) await checkOldVersion(sql, place);
  return { names, revisions };
}

function checkRevision(revisions: readonly string[], place: string): void {
  if (revisions.length === 1 && revisions[0] === SCHEMA_REVISION) return;
  throw new EntailError(
    "data",
    `${place}: the tables have Optuna's schema revision ${revisions.join(", ")}, not ${SCHEMA_REVISION}; ` +
      "run `optuna storage upgrade` with Optuna 3.2 to 5.0, or use another file",
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
