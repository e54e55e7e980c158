/** Studies in an SQLite file that Optuna and optuna-dashboard read and write as well. */

import { EntailError } from "../errors.ts";
import { RdbStorage } from "./rdb_storage.ts";
import { checkSqliteSchema, prepareSqliteSchema } from "./rdb_schema.ts";
import { openSqliteDriver } from "./sqlite_driver.ts";
import type { Storage } from "./storage.ts";

/** The file of `sqlite:///relative.db` or `sqlite:////absolute.db` (`sqlite+pysqlite:///` too). */
export function sqlitePath(url: string): string {
  const path = /^sqlite(?:\+\w+)?:\/\/\/([^?]*)/.exec(url)?.[1] ?? "";
  if (path === "") {
    throw new EntailError("usage", `${url}: names no file; use sqlite:///relative.db or sqlite:////absolute.db`);
  }
  return path;
}

/** Opens the database; unless it is `readOnly`, makes the file and Optuna's tables when they are missing. */
export async function openSqliteStorage(url: string, { readOnly = false } = {}): Promise<Storage> {
  const path = sqlitePath(url);
  const driver = await openSqliteDriver(path, { readOnly });
  try {
    if (readOnly) await checkSqliteSchema(driver, path);
    else await driver.transaction((sql) => prepareSqliteSchema(sql, path));
  } catch (error) {
    await driver.close();
    throw error;
  }
  return new RdbStorage(driver, path);
}
