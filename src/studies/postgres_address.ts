/** Where a PostgreSQL server is and who asks it, from an address as SQLAlchemy and libpq write them. */

import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import process from "node:process";
import pgpass from "../packages/pgpass.ts";
import { EntailError } from "../errors.ts";
import { withoutPasswords } from "../formats/secrets.ts";

export interface PostgresAddress {
  /** A host's name or number, or the folder of a socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: string | null;
  readonly ssl: PostgresSsl;
  readonly connectSeconds: number;
  /** Without the password, for messages. */
  readonly shown: string;
}

/** As the `postgres` package takes it; an object is what `node:tls` takes. */
export type PostgresSsl = false | "prefer" | "require" | {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly checkServerIdentity?: () => undefined;
};

/** libpq's parameters of an address that mean something here. */
const PARAMETERS = [
  ...["host", "port", "user", "password", "dbname", "connect_timeout", "application_name"],
  ...["sslmode", "sslrootcert", "sslcert", "sslkey"],
];

const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/**
 * Reads `postgresql://user:password@host:port/database?sslmode=require`, with SQLAlchemy's drivers (`+psycopg2`) and
 * libpq's parameters, also of sockets (`postgresql:///database?host=/run/postgresql`). What is not in it comes from PGHOST,
 * PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSSLMODE, PGSSLROOTCERT, PGSSLCERT, PGSSLKEY and PGCONNECT_TIMEOUT; a password,
 * last, from PGPASSFILE or ~/.pgpass. Usage error that shows no password.
 */
export async function postgresAddress(url: string): Promise<PostgresAddress> {
  const parsed = parse(url);
  const given = (name: string, part: string): string | undefined =>
    parsed.searchParams.get(name) ??
      (decoded(part, url) || process.env[`PG${ENVIRONMENT[name] ?? name.toUpperCase()}`]);
  const port = Number(given("port", parsed.port) || 5432);
  const host = given("host", parsed.hostname === NO_HOST ? "" : parsed.hostname) || defaultHost(port);
  const user = given("user", parsed.username) || userInfo().username;
  const database = given("dbname", parsed.pathname.replace(/^\//, "")) || user;
  const connectSeconds = Number(given("connect_timeout", "") || 10);
  if (!Number.isInteger(port) || !Number.isFinite(connectSeconds)) {
    throw wrong(url, "its port or connect_timeout is not a number");
  }
  const where = { host, port, user, database };
  const password = given("password", parsed.password) ?? await passwordFromFile(where);
  const shown = `postgresql://${user}@${host.startsWith("/") ? "" : host}:${port}/${database}` +
    (host.startsWith("/") ? `?host=${host}` : "");
  const ssl = host.startsWith("/") ? false : sslOf(url, (name) => given(name, ""));
  return { ...where, password, ssl, connectSeconds, shown };
}

/** Where libpq's variable is not called like its parameter. */
const ENVIRONMENT: Readonly<Record<string, string>> = { dbname: "DATABASE" };

const NO_HOST = "-";

const wrong = (url: string, what: string): EntailError =>
  new EntailError("usage", `${withoutPasswords(url)}: ${what}; use postgresql://user:password@host:port/database`);

function parse(url: string): URL {
  // A URL that has a user or a port needs a host; libpq's address of a socket has none.
  const parsed = URL.parse(
    url.replace(/^postgres\w*(?:\+\w+)?:\/\/([^/?#]*@)?(?=[:/?]|$)/, `postgresql://$1${NO_HOST}`),
  );
  if (parsed === null || !url.includes("://")) {
    throw wrong(url, "not an address (signs such as @, : and / in a password are written %40, %3A, %2F)");
  }
  const unknown = [...parsed.searchParams.keys()].find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) {
    throw wrong(url, `its parameter ${unknown} is not known (known: ${PARAMETERS.join(", ")})`);
  }
  return parsed;
}

function decoded(part: string, url: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw wrong(url, "a % that is meant is written %25");
  }
}

/** Like libpq: the socket of this machine's server, where there is one. */
function defaultHost(port: number): string {
  const folders = ["/var/run/postgresql", "/tmp"];
  return folders.find((folder) => existsSync(`${folder}/.s.PGSQL.${port}`)) ?? "localhost";
}

function passwordFromFile(where: Pick<PostgresAddress, "host" | "port" | "user" | "database">): Promise<string | null> {
  // libpq's rule: a socket is that of localhost.
  const host = where.host.startsWith("/") ? "localhost" : where.host;
  return new Promise((resolve) => pgpass({ ...where, host }, (password?: string) => resolve(password ?? null)));
}

function sslOf(url: string, given: (name: string) => string | undefined): PostgresSsl {
  const mode = given("sslmode") || "prefer";
  if (!SSL_MODES.includes(mode)) throw wrong(url, `its sslmode ${mode} is none of ${SSL_MODES.join(", ")}`);
  if (mode === "disable") return false;
  const file = (name: string): string | undefined => {
    const path = given(name);
    if (!path) return undefined;
    try {
      return Deno.readTextFileSync(path);
    } catch {
      throw new EntailError("data", `${path}: cannot be read; it is the ${name} of ${withoutPasswords(url)}`);
    }
  };
  const [ca, cert, key] = [file("sslrootcert"), file("sslcert"), file("sslkey")];
  const verifies = mode.startsWith("verify");
  if (!verifies && cert === undefined) return mode === "require" ? "require" : "prefer";
  // An authority that is trusted vouches for whom it likes; only verify-full asks for the host's own name.
  const anyName = mode === "verify-full" ? {} : { checkServerIdentity: () => undefined };
  return { rejectUnauthorized: verifies, ca, cert, key, ...anyName };
}
