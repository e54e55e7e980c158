import assert from "node:assert/strict";
import { composeConfig } from "../../src/config/config.ts";
import { settingsInVain } from "../../src/training/run.ts";

Deno.test("settingsInVain: names what is asked for and cannot have an effect, and nothing by default", () => {
  assert.deepEqual(settingsInVain(composeConfig([])), []);
  const cases = [
    "training.optimization.use_torch_compile=false",
    "training.optimization.fused_adamw=false",
    "reproducibility.deterministic=false",
  ];
  for (const override of cases) {
    const [line, ...more] = settingsInVain(composeConfig([override]));
    assert.deepEqual(more, []);
    assert.ok(line.startsWith(override), line);
  }
});
