import assert from "node:assert/strict";

Deno.test("negative controls: there is one for every kernel", () => {
  const folder = new URL("../nn/", import.meta.url);
  const tests = [...Deno.readDirSync(folder)].map(({ name }) => Deno.readTextFileSync(new URL(name, folder)));
  const broken = new Set([...tests.join("\n").matchAll(/negativeControl\("([^"]+)"/g)].map(([, file]) => file));
  const kernels = [...Deno.readDirSync(new URL("../../kernels/", import.meta.url))].filter(({ isFile }) => isFile);
  assert.deepEqual(kernels.map(({ name }) => name).filter((name) => !broken.has(name)), []);
});
