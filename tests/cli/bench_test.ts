import assert from "node:assert/strict";
import { join } from "node:path";
import { MAIN, resultOf } from "../support/command_line.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const TINY = "{hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16, vocab_size: 3000}";

Deno.test("entail bench step --profile: every kernel beside the adapter's roof, and a picture", async () => {
  await inTemporaryFolder(async (folder) => {
    const overrides = ["model.model_name=null", `model.architecture=${TINY}`, "training.batch_size=2"];
    const args = ["run", "-A", "--no-check", "--quiet", MAIN, "bench", "step", "--profile", ...overrides];
    const options = { args: [...args, "data.max_length=16"], cwd: folder, env: { NO_COLOR: "1" } };
    const command = new Deno.Command(Deno.execPath(), { ...options, stdout: "piped", stderr: "piped" });
    const { code, stdout, stderr } = await resultOf(command);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^kernel\toperands\tcalls\tms per step\t.*\tof the roof$/m);
    assert.match(stdout, /^adamw\.step\t\t1\t[\d.]+\t[\d.]+ %\t[\d.]+\t0\.00\tbytes\t[\d.]+\t[\d.]+ %$/m);
    assert.match(stdout, /^all\t\t\d+\t/m);
    assert.match(stdout, /^the roof of this adapter\t/m);
    const picture = join("outputs", "bench", "step.svg");
    assert.ok(stderr.includes(`written to ${picture}`), stderr);
    assert.match(Deno.readTextFileSync(join(folder, picture)), /^<svg .*adamw\.step/s);
  });
});
