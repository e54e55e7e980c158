/** Studies in a PostgreSQL database that Optuna and optuna-dashboard read and write as well. */

import { postgresAddress } from "./postgres_address.ts";
import { openPostgresDriver } from "./postgres_driver.ts";
import { checkPostgresSchema, preparePostgresSchema } from "./rdb_schema.ts";
import { RdbStorage } from "./rdb_storage.ts";
import type { Storage } from "./storage.ts";

/** Opens the database; unless it is `readOnly`, makes Optuna's tables when they are missing. */
export async function openPostgresStorage(url: string, { readOnly = false } = {}): Promise<Storage> {
  const address = await postgresAddress(url);
  const driver = await openPostgresDriver(address, { readOnly });
  try {
    if (readOnly) await checkPostgresSchema(driver, address.shown);
    else await driver.transaction((sql) => preparePostgresSchema(sql, address.shown));
  } catch (error) {
    await driver.close();
    throw error;
  }
  return new RdbStorage(driver, address.shown);
}
