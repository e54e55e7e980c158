/** Studies in a PostgreSQL database that Optuna and optuna-dashboard read and write as well. */

import { postgresAddress } from "./postgres_address.ts";
import { openPostgresDriver } from "./postgres_driver.ts";
import { preparePostgresSchema } from "./rdb_schema.ts";
import { RdbStorage } from "./rdb_storage.ts";
import type { Storage } from "./storage.ts";

/** Opens the database, making Optuna's tables when they are missing. */
export async function openPostgresStorage(url: string): Promise<Storage> {
  const address = await postgresAddress(url);
  const driver = await openPostgresDriver(address);
  try {
    await driver.transaction((sql) => preparePostgresSchema(sql, address.shown));
  } catch (error) {
    await driver.close();
    throw error;
  }
  return new RdbStorage(driver, address.shown);
}
