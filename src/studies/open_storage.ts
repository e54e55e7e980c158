/** From a storage URL, as Optuna writes them, to a storage. */

import { EntailError } from "../errors.ts";
import { withoutPasswords } from "../formats/secrets.ts";
import { MemoryStorage } from "./memory_storage.ts";
import { openSqliteStorage } from "./sqlite_storage.ts";
import type { Storage } from "./storage.ts";

/** How a storage is opened. */
export interface OpenStorageOptions {
  /** To look at it: nothing is made or changed, and every change is refused. */
  readOnly?: boolean;
}

/**
 * Opens `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://user:password@host:port/database`, or, for null, a
 * storage in memory. A file and tables are made when missing.
 */
export async function openStorage(url: string | null, options: OpenStorageOptions = {}): Promise<Storage> {
  if (url === null) return new MemoryStorage();
  if (/^sqlite(\+\w+)?:\/\/\//.test(url)) return await openSqliteStorage(url, options);
  if (/^postgres(ql)?(\+\w+)?:/.test(url)) {
    // Its driver is loaded where there is need of it only.
    return await (await import("./postgres_storage.ts")).openPostgresStorage(url, options);
  }
  throw new EntailError(
    "usage",
    `${withoutPasswords(url)}: not a storage URL; use sqlite:///relative.db, sqlite:////absolute.db or ` +
      "postgresql://user:password@host:port/database",
  );
}
