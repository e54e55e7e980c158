/** `dashboard` on the command line: what it serves, how it ends, what it refuses. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openStorage } from "../../src/studies/open_storage.ts";
import { failure, start } from "../support/command_line.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { writeRunFiles } from "../support/run_files.ts";

/** Runs the command until `use` is done with the address that it prints, then interrupts it. */
async function serving(
  args: string[],
  use: (url: URL) => Promise<void>,
  env?: Record<string, string>,
): Promise<string> {
  const child = start(["dashboard", "--port", "0", ...args], "null", env);
  const [own, rest] = child.stdout.tee();
  const reader = own.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes("\n")) {
    const { value, done } = await reader.read();
    assert.ok(!done, "it has ended without an address");
    said += value;
  }
  await reader.cancel();
  try {
    await use(new URL(said.trim()));
  } finally {
    child.kill("SIGINT");
  }
  const [{ code }, stderr] = await Promise.all([child.status, new Response(child.stderr).text(), rest.cancel()]);
  assert.equal(code, 0, stderr);
  return said + stderr;
}

Deno.test("entail dashboard: serves runs and storages as they are named, and ends with Ctrl-C while a page is open", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "study.db");
    const storage = await openStorage(`sqlite:///${path}`);
    await storage.createStudy("one", ["maximize"]);
    await storage.close();
    await writeRunFiles(join(folder, "runs", "a"));
    const names = async (url: URL, what: string, name: string) => {
      const all = await (await fetch(new URL(`/api/${what}${url.search}`, url))).json();
      return all.map((each: Record<string, unknown>) => each[name]);
    };
    await serving([path, join(folder, "runs")], async (url) => {
      assert.equal(url.hostname, "127.0.0.1");
      assert.deepEqual(await names(url, "studies", "study_name"), ["one"]);
      assert.deepEqual(await names(url, "runs", "run"), [join(folder, "runs", "a")]);
      const stream = await fetch(new URL("/events", url));
      await stream.body!.getReader().read();
    });
    await serving([`hpo.storage=sqlite:///${path}`], async (url) => {
      assert.deepEqual(await names(url, "studies", "study_name"), ["one"]);
    });
    const said = await serving(["--host", "0.0.0.0", path], async (url) => {
      url.hostname = "127.0.0.1";
      assert.deepEqual(await names(url, "studies", "study_name"), ["one"]);
      const refused = await fetch(new URL("/api/studies", url));
      await refused.text();
      assert.equal(refused.status, 401);
    });
    assert.equal(said.match(/token=/g)?.length, 1, said);
    const kept = await serving(["--host", "0.0.0.0", "--token", "S3cret", path], () => Promise.resolve());
    assert.doesNotMatch(kept, /S3cret/);
  });
});

Deno.test("entail dashboard: what cannot be shown or listened at ends with one line", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const results = await Promise.all([
      failure(["dashboard", "/no/such/run"]),
      failure(["dashboard", "sqlite:////no/such.db"]),
      failure(["dashboard", decodeURIComponent(new URL(import.meta.url).pathname)]),
      failure(["dashboard", "--port", `${listener.addr.port}`]),
      failure(["dashboard", "--port", "70000"]),
    ]);
    assert.deepEqual(results.map(([code]) => code), [3, 3, 3, 2, 2]);
    assert.match(results[2][1], /dashboard_test\.ts: .*not a database/);
    assert.match(results[0][1], /\/no\/such\/run: no such file or folder/);
    assert.match(results[3][1], new RegExp(`--port ${listener.addr.port}: is taken`));
  } finally {
    listener.close();
  }
});
