import assert from "node:assert/strict";

const SCRIPT = new URL("../../scripts/bench/gpu.ts", import.meta.url).pathname;
const CONFIGURATION = new URL("../../deno.json", import.meta.url).pathname;

Deno.test("bench/gpu: one JSON and one Markdown file; a row for each part, also for one that fails", async () => {
  const folder = await Deno.makeTempDir();
  const run = async (only: string) => {
    const flags = ["-A", "--no-check", "--frozen", "--config", CONFIGURATION];
    const args = ["run", ...flags, SCRIPT, "--small", "--only", only, "--output", folder, "--python", "/no/python"];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, stdout: "null" }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return JSON.parse(await Deno.readTextFile(`${folder}/gpu.json`));
  };
  try {
    const { parts, adapter, deno } = await run("kernel grad_norm");
    assert.equal(deno, Deno.version.deno);
    assert.ok(adapter.name);
    assert.equal(parts.length, 1);
    assert.equal(parts[0].rows[0].what, "grad_norm, 32 × 32 × 1");
    assert.ok(parts[0].rows[0].ms > 0);
    assert.match(await Deno.readTextFile(`${folder}/gpu.md`), /\| grad_norm, 32 × 32 × 1 \| entail, one, f32 \|/);
    const { parts: [failed] } = await run("step PyTorch");
    assert.match(failed.rows[0].note, /^failed: .*\/no\/python/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
