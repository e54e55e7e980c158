import assert from "node:assert/strict";
import { homedir } from "node:os";
import { join } from "node:path";
import { hubSettings } from "../../src/hub/settings.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const settings = (env: Record<string, string> = {}) => hubSettings((name) => env[name]);

Deno.test("hubSettings: where huggingface_hub looks, in its order", () => {
  assert.equal(settings().cache, join(homedir(), ".cache/huggingface/hub"));
  assert.equal(settings({ XDG_CACHE_HOME: "/x" }).cache, "/x/huggingface/hub");
  assert.equal(settings({ XDG_CACHE_HOME: "/x", HF_HOME: "/h" }).cache, "/h/hub");
  assert.equal(settings({ HF_HOME: "~/h" }).cache, join(homedir(), "h/hub"));
  assert.equal(settings({ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old" }).cache, "/old");
  assert.equal(settings({ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/c" }).cache, "/c");
  assert.equal(settings({ HF_ENDPOINT: "http://127.0.0.1:1/" }).endpoint, "http://127.0.0.1:1");
  assert.equal(settings({ HF_HUB_DOWNLOAD_TIMEOUT: "3" }).stallMs, 3000);
});

Deno.test("hubSettings: offline by any of Python's words for it", () => {
  for (const word of ["1", "ON", "yes", "True"]) assert.ok(settings({ HF_HUB_OFFLINE: word }).offline, word);
  for (const word of ["", "0", "no"]) assert.ok(!settings({ HF_HUB_OFFLINE: word }).offline, word);
  assert.ok(settings({ TRANSFORMERS_OFFLINE: "1" }).offline);
});

Deno.test("hubSettings: the token of the environment, else that of the file", () =>
  inTemporaryFolder(async (folder) => {
    assert.equal(settings({ HF_HOME: folder }).token, null);
    await Deno.writeTextFile(join(folder, "token"), "hf_file\n");
    assert.equal(settings({ HF_HOME: folder }).token, "hf_file");
    assert.equal(settings({ HF_HOME: folder, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }).token, null);
    assert.equal(settings({ HF_HOME: folder, HF_TOKEN: " hf_env\n" }).token, "hf_env");
    assert.equal(settings({ HF_TOKEN_PATH: join(folder, "token") }).token, "hf_file");
  }));
