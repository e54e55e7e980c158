/** PostgreSQL through the `postgres` package, made safe against servers that restart. */

import postgres from "../packages/postgres.ts";
import { EntailError } from "../errors.ts";
import type { PostgresAddress } from "./postgres_address.ts";
import type { Sql, SqlDialect, SqlDriver, SqlRow, SqlValue } from "./sql_driver.ts";

/** A server that has been there is waited for as long as an administrator may need; one that never was, only briefly. */
const GIVE_UP_AFTER_MS = 600_000;
const GIVE_UP_OPENING_AFTER_MS = 5_000;

const DIALECT: SqlDialect = {
  // A JSON array of integers is PostgreSQL's own notation in other brackets.
  inJsonList: (column) => `${column} = ANY(translate(?::text, '[]', '{}')::integer[])`,
  olderThanSeconds: (column) => `${column} < LOCALTIMESTAMP - make_interval(secs => ?)`,
  forUpdate: " FOR UPDATE",
  forUpdateOfFree: " FOR UPDATE SKIP LOCKED",
};

/** The connection or the server is gone, or the server takes no more connections now. */
const ABSENT = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EAI_AGAIN"],
  ...["ENOENT", "CONNECT_TIMEOUT", "CONNECTION_CLOSED", "CONNECTION_ENDED", "CONNECTION_DESTROYED"],
  // Class 08, connection exceptions; too many connections; ended by an administrator or a crash; starting up.
  ...["08000", "08001", "08003", "08006", "53300", "57P01", "57P02", "57P03", "57P05", "25P03"],
]);

/** Another transaction was in the way: serialization failure, deadlock. */
const COLLISION = new Set(["40001", "40P01"]);

/** Two made the same row at once, and the next try sees it; a second time it is an error. */
const UNIQUE_VIOLATION = "23505";

const HINTS: Readonly<Record<string, string>> = {
  "28P01": "; give the right one in the address, PGPASSWORD or ~/.pgpass",
  "28000": "; ask the server's administrator to let this user in",
  "3D000": "; make it with createdb, or name another",
  "42501": "; ask the database's owner for the right to do so",
  ENOTFOUND: "; name another host",
};

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? "");
const isAbsence = (error: unknown): boolean => ABSENT.has(codeOf(error));

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One connection, thrown away when it is lost: what was asked of it must not be asked again behind the caller's back. */
interface Connection {
  readonly client: postgres.Sql;
  /** Rejected when the connection is gone: not everything that waits for it would be told otherwise. */
  readonly lost: Promise<never>;
  isLost(): boolean;
}

type Action<T> = (connection: Connection) => Promise<T>;

async function connect(address: PostgresAddress, readOnly: boolean): Promise<Connection> {
  const { host, port, user, database, password, ssl, connectSeconds } = address;
  const { promise: lost, reject } = Promise.withResolvers<never>();
  let isLost = false;
  const lose = (code: string) => () => {
    isLost = true;
    reject(Object.assign(new Error("the connection was lost"), { code }));
  };
  lost.catch(() => {});
  const client = postgres({
    ...{ host, port, database, username: user, password: password ?? "", ssl: ssl as never },
    connect_timeout: connectSeconds,
    connection: { application_name: "entail", default_transaction_read_only: readOnly },
    // Calls queue for the one connection, so that a transaction of this process never waits for another.
    max: 1,
    onclose: lose("CONNECTION_CLOSED"),
    onnotice: () => {},
    // Times stay text: they are UTC without saying so.
    types: { date: { to: 1114, from: [1082, 1114, 1184], serialize: String, parse: (text: string) => text } },
  });
  const timer = setTimeout(lose("CONNECT_TIMEOUT"), connectSeconds * 1000 + 1000);
  try {
    await Promise.race([client.unsafe("SELECT 1"), lost]);
    return { client, lost, isLost: () => isLost };
  } catch (error) {
    drop(client);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

const drop = (client: postgres.Sql): void => void client.end({ timeout: 0 }).catch(() => {});

/** Opens a connection. Data error for an address at which there is no server, or none that lets this user in. */
export async function openPostgresDriver(address: PostgresAddress, { readOnly = false } = {}): Promise<SqlDriver> {
  let current: Promise<Connection> | null = null;
  let isClosed = false;

  const placed = (error: unknown): unknown => {
    if (error instanceof EntailError) return error;
    const reason = error instanceof Error ? error.message || codeOf(error) : String(error);
    const hint = HINTS[codeOf(error)] ?? "";
    const message = `${address.shown}: the study's database reports: ${reason}${hint}`;
    return new EntailError("data", message, { cause: error });
  };

  /** Runs `action` on the present connection, or on a new one. */
  async function onConnection<T>(action: Action<T>): Promise<T> {
    const connecting = current ??= connect(address, readOnly);
    let connection: Connection | null = null;
    try {
      connection = await connecting;
      // The package would connect anew, and do later what is given up here.
      if (connection.isLost()) await connection.lost;
      return await Promise.race([action(connection), connection.lost]);
    } catch (error) {
      const isLost = connection === null || isAbsence(error);
      if (isLost && current === connecting) current = null;
      if (isLost && connection !== null) drop(connection.client);
      throw error;
    }
  }

  /** Runs `action` until there is a server that answers and nobody is in its way. */
  async function whenThere<T>(action: Action<T>, giveUpAfterMs = GIVE_UP_AFTER_MS): Promise<T> {
    const deadline = Date.now() + giveUpAfterMs;
    let violations = 0;
    for (let wait = 20;; wait = Math.min(2 * wait, 2000)) {
      try {
        return await onConnection(action);
      } catch (error) {
        const again = isAbsence(error) && !isClosed && Date.now() < deadline || COLLISION.has(codeOf(error)) ||
          codeOf(error) === UNIQUE_VIOLATION && violations++ < 1;
        if (!again) throw placed(error);
        await pause(wait * (0.5 + Math.random()));
      }
    }
  }

  const numbered = new Map<string, string>();
  const run = async (on: postgres.ISql, sql: string, parameters: readonly SqlValue[] = []): Promise<SqlRow[]> => {
    let text = numbered.get(sql);
    if (text === undefined) {
      let at = 0;
      numbered.set(sql, text = sql.replace(/\?/g, () => `$${++at}`));
    }
    return [...await on.unsafe(text, [...parameters], { prepare: true })] as unknown as SqlRow[];
  };

  const all: Sql["all"] = (sql, parameters) => whenThere(({ client }) => run(client, sql, parameters));

  // The package's own `begin` writes its rollback into a socket that is gone, which ends the process.
  async function transaction<T>(body: (sql: Sql) => Promise<T>, { client, isLost }: Connection): Promise<T> {
    const own = await client.reserve();
    const sql: Sql = { all: (text, parameters) => isLost() ? new Promise(() => {}) : run(own, text, parameters) };
    try {
      // Not waited for: what the body asks first goes with it.
      const begun = sql.all("BEGIN");
      const [result] = await Promise.all([body(sql), begun]);
      await sql.all("COMMIT");
      return result;
    } catch (error) {
      await sql.all("ROLLBACK");
      throw error;
    } finally {
      if (!isLost()) own.release();
    }
  }

  let lastSnapshot = "";
  const driver: SqlDriver = {
    dialect: DIALECT,
    all,
    transaction: (body) => whenThere((connection) => transaction(body, connection)),
    async changedByOthers() {
      // Two equal snapshots see the same data.
      const [{ snapshot }] = await all("SELECT txid_current_snapshot()::text AS snapshot");
      const changed = snapshot !== lastSnapshot;
      lastSnapshot = snapshot as string;
      return changed;
    },
    async close() {
      isClosed = true;
      await current?.then(({ client }) => client.end({ timeout: 5 }), () => {});
    },
  };
  await whenThere(() => Promise.resolve(), GIVE_UP_OPENING_AFTER_MS);
  return driver;
}
