/** The launcher on a machine that lacks things; npm and apt-get are stand-ins that behave as the real ones do there. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { inTemporaryFolder } from "../support/run_data.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

async function writeScript(path: string, body: string): Promise<void> {
  await Deno.writeTextFile(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

async function run(command: string, args: string[], path: string): Promise<{ code: number; output: string }> {
  const env = { PATH: `${path}:/usr/bin:/bin`, DENO: "", NO_COLOR: "1" };
  const { code, stdout, stderr } = await new Deno.Command(command, { args, env }).output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("launcher: on a fresh clone, several at once install Deno without harm to each other", async () => {
  await inTemporaryFolder(async (folder) => {
    const [clone, bin] = [join(folder, "clone"), join(folder, "bin")];
    await Deno.mkdir(clone);
    await Deno.mkdir(bin);
    await Deno.copyFile(join(ROOT, "entail"), join(clone, "entail"));
    for (const name of ["src", "deno.json", "deno.lock"]) await Deno.symlink(join(ROOT, name), join(clone, name));
    await writeScript(join(bin, "deno"), "exit 1");
    // npm refuses to go on where another one has left files half done.
    await writeScript(
      join(bin, "npm"),
      `mkdir "$3/node_modules" || exit 1
      mkdir "$3/node_modules/.bin"
      sleep 0.3
      ln -s '${Deno.execPath()}' "$3/node_modules/.bin/deno"`,
    );
    const results = await Promise.all([0, 0, 0].map(() => run(join(clone, "entail"), ["--version"], bin)));
    for (const { code, output } of results) assert.equal(code, 0, output);
    const left = [...Deno.readDirSync(join(clone, ".deno"))].map(({ name }) => name).sort();
    assert.deepEqual(left.filter((name) => name !== "cache"), ["install.log", "node_modules"]);
  });
});

Deno.test("launcher: apt-get is waited for while another one runs, and only then", async () => {
  const launcher = await Deno.readTextFile(join(ROOT, "entail"));
  const [aptGet] = /^apt_get\(\) \{[^]*?^\}/m.exec(launcher)!;
  await inTemporaryFolder(async (folder) => {
    const log = join(folder, "log");
    const script = `run_as_root=''; log='${log}'; say() { echo "$*"; }; sleep() { :; }\n${aptGet}\napt_get update`;
    const times = join(folder, "times");
    const locked = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)";
    await writeScript(
      join(folder, "apt-get"),
      `echo >>'${times}'; [ $(wc -l <'${times}') -gt 2 ] || { echo '${locked}' >&2; exit 100; }`,
    );
    const waited = await run("sh", ["-c", script], folder);
    assert.deepEqual(waited, { code: 0, output: "Waiting for another apt-get …\n" });
    assert.equal((await Deno.readTextFile(times)).length, 3);
    await writeScript(join(folder, "apt-get"), "echo 'E: Unable to fetch some archives' >&2; exit 100");
    assert.deepEqual(await run("sh", ["-c", script], folder), { code: 1, output: "" });
  });
});
