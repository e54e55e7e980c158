import assert from "node:assert/strict";

Deno.test("negative controls: there is one for every kernel", () => {
  const tests = ["./", "../nn/", "../tuning/"].flatMap((path) => {
    const folder = new URL(path, import.meta.url);
    return [...Deno.readDirSync(folder)].map(({ name }) => Deno.readTextFileSync(new URL(name, folder)));
  });
  const broken = new Set(
    [...tests.join("\n").matchAll(/(?:negativeControl|control)\("([^"]+)"/g)].map(([, file]) => file),
  );
  const kernels = [...Deno.readDirSync(new URL("../../kernels/", import.meta.url))].filter(({ isFile }) => isFile);
  assert.deepEqual(kernels.map(({ name }) => name).filter((name) => !broken.has(name)), []);
});
