/** SQLite through `node:sqlite`, made safe for many processes on one file. */

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { EntailError } from "../errors.ts";
import type { Sql, SqlDialect, SqlDriver, SqlRow, SqlValue } from "./sql_driver.ts";

/** How long SQLite itself blocks for a lock; longer waits give the event loop its turn in between. */
const BLOCKING_WAIT_MS = 100;
/** After this long without getting a lock the file is taken to be stuck. */
const GIVE_UP_AFTER_MS = 120_000;

const DIALECT: SqlDialect = {
  inJsonList: (column) => `${column} IN (SELECT value FROM json_each(?))`,
  olderThanSeconds: (column) => `${column} < datetime('now', (-?) || ' seconds')`,
  // A transaction excludes all other writers.
  forUpdate: "",
  forUpdateOfFree: "",
};

function isBusy(error: unknown): boolean {
  return error instanceof Error && /database (table |schema )?is locked|database is busy/i.test(error.message);
}

/**
 * Runs `action` until no other process is in its way. SQLite's own busy handler is not asked in some of these cases
 * (switching to WAL, recovery after a crash, the last connection's clean-up), so it alone is not enough.
 */
async function whenFree<T>(path: string, action: () => T, giveUpAfterMs = GIVE_UP_AFTER_MS): Promise<T> {
  const deadline = Date.now() + giveUpAfterMs;
  for (;;) {
    try {
      return action();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (Date.now() > deadline) {
        throw new EntailError("data", `${path}: another process keeps the database locked; end it and try again`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 45));
    }
  }
}

function openDatabase(path: string, readOnly: boolean): DatabaseSync {
  const folder = dirname(path);
  if (!existsSync(folder)) throw new EntailError("data", `${path}: there is no folder ${folder}; make it first`);
  try {
    return new DatabaseSync(path, { timeout: BLOCKING_WAIT_MS, readOnly });
  } catch (error) {
    if (isBusy(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new EntailError("data", `${path}: cannot open the study's database: ${reason}`, { cause: error });
  }
}

/**
 * Opens a database file (created when missing) in WAL mode, so that readers and the writer do not wait for each other. One
 * that is only read is opened as it is.
 */
export async function openSqliteDriver(path: string, { readOnly = false } = {}): Promise<SqlDriver> {
  const db = await whenFree(path, () => openDatabase(path, readOnly));
  try {
    if (!readOnly) await setUp(path, db);
  } catch (error) {
    db.close();
    if (error instanceof EntailError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new EntailError("data", `${path}: not a usable SQLite database: ${reason}`, { cause: error });
  }

  const statements = new Map<string, StatementSync>();
  const run = (sql: string, parameters: readonly SqlValue[] = []): SqlRow[] => {
    try {
      let statement = statements.get(sql);
      if (statement === undefined) statements.set(sql, statement = db.prepare(sql));
      return statement.all(...parameters) as SqlRow[];
    } catch (error) {
      // A full disk, a damaged file, a table that someone has dropped: nothing that a trial could do about it.
      if (isBusy(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new EntailError("data", `${path}: the study's database reports: ${reason}`, { cause: error });
    }
  };
  const direct: Sql = { all: (sql, parameters) => Promise.resolve().then(() => run(sql, parameters)) };

  // One connection: whatever is sent between BEGIN and COMMIT would become part of the transaction, so calls queue.
  let queue: Promise<unknown> = Promise.resolve();
  const enqueue = <T>(action: () => Promise<T>): Promise<T> => {
    const result = queue.then(action);
    queue = result.catch(() => {});
    return result;
  };

  const version = () => run("PRAGMA data_version")[0].data_version as number;
  let lastVersion = -1;

  return {
    dialect: DIALECT,
    all: (sql, parameters) => enqueue(() => whenFree(path, () => run(sql, parameters))),
    transaction: (body) =>
      enqueue(async () => {
        await whenFree(path, () => run("BEGIN IMMEDIATE"));
        try {
          const result = await body(direct);
          await whenFree(path, () => run("COMMIT"));
          return result;
        } catch (error) {
          if (db.isTransaction) run("ROLLBACK");
          throw error;
        }
      }),
    changedByOthers: () =>
      enqueue(async () => {
        const now = await whenFree(path, version);
        const changed = now !== lastVersion;
        lastVersion = now;
        return changed;
      }),
    close: () =>
      enqueue(() => {
        statements.clear();
        if (db.isOpen) db.close();
        return Promise.resolve();
      }),
  };
}

async function setUp(path: string, db: DatabaseSync): Promise<void> {
  // What has been replaced, a password that an earlier version stored, does not stay in the file's unused parts.
  db.exec("PRAGMA secure_delete = ON");
  const mode = () => db.prepare("PRAGMA journal_mode").get()?.journal_mode;
  if (await whenFree(path, mode) !== "wal") {
    try {
      // Refused while others (an Optuna process, say) have the file open: then its present mode must do.
      await whenFree(path, () => db.exec("PRAGMA journal_mode = WAL"), 2_000);
    } catch (error) {
      if (!(error instanceof EntailError)) throw error;
    }
  }
  // In WAL mode NORMAL never corrupts the file; a power cut may undo the last transactions, a killed process none.
  if (await whenFree(path, mode) === "wal") db.exec("PRAGMA synchronous = NORMAL");
}
