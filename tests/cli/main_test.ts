/** What holds for every command: help, version, statuses of what the system refuses. */
import assert from "node:assert/strict";
import { entail, failure } from "../support/command_line.ts";

Deno.test("entail --version: the version of deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  const { code, stdout } = await entail(["--version"]);
  assert.deepEqual([code, stdout], [0, `${version}\n`]);
});

Deno.test("entail help: a command's own help; an unknown command is a mistake as any other", async () => {
  const [help, option] = await Promise.all([entail(["help", "train"]), entail(["train", "--help"])]);
  assert.deepEqual([help.code, help.stdout], [0, option.stdout]);
  const [code, line] = await failure(["help", "trian"]);
  assert.equal(code, 2);
  assert.match(line, /unknown command 'trian'.*train/);
});
