import assert from "node:assert/strict";
import { fastest, tuningCache } from "../../src/tuning/cache.ts";
import { driverFingerprint } from "../../src/tuning/driver.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const silent = (line: string) => assert.fail(line);

gpuTest("tuningCache: what is added is read again, also what several add at once", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const cache = () => tuningCache(gpu, silent, `${folder}/not/there/yet`);
    assert.deepEqual(await cache().read(), {});
    const ids = Array.from({ length: 8 }, (_, i) => `product ${i}`);
    await Promise.all(ids.map((id) => cache().add({ [id]: { fast: 1, slow: 2, wrong: null } })));
    assert.deepEqual(Object.keys(await cache().read()).sort(), ids);
    await cache().add({ "product 3": { fast: 3, slow: 2 } });
    const times = await cache().read();
    assert.deepEqual(times["product 3"], { fast: 3, slow: 2 });
    assert.deepEqual(times["product 4"], { fast: 1, slow: 2, wrong: null });
  });
});

gpuTest("tuningCache: another adapter, backend or driver has another file", (gpu) => {
  const { file } = tuningCache(gpu, silent, "/cache");
  assert.match(file, /^\/cache\/tuned-[0-9a-f]{16}\.json$/);
  assert.equal(tuningCache({ ...gpu }, silent, "/cache").file, file);
  assert.notEqual(tuningCache({ ...gpu, name: "another adapter" }, silent, "/cache").file, file);
  const backend = { ...gpu.backend, name: "dawn" as const };
  if (gpu.backend.name === "deno") assert.notEqual(tuningCache({ ...gpu, backend }, silent, "/cache").file, file);
  return Promise.resolve();
});

gpuTest("tuningCache: a damaged file is left out with one notice, and written anew", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const notices: string[] = [];
    const cache = tuningCache(gpu, (line) => notices.push(line), folder);
    for (const text of ["", "{", "null", '{"version":2}', '{"version":1,"times":{"product":{"fast":"1"}}}']) {
      notices.length = 0;
      const fresh = tuningCache(gpu, (line) => notices.push(line), folder);
      await Deno.writeTextFile(cache.file, text);
      assert.deepEqual(await fresh.read(), {}, text);
      assert.deepEqual(await fresh.read(), {}, text);
      assert.equal(notices.length, 1, text);
      assert.ok(notices[0].startsWith(`${cache.file}: `));
    }
    await cache.add({ product: { fast: 1 } });
    assert.deepEqual(await tuningCache(gpu, silent, folder).read(), { product: { fast: 1 } });
  });
});

Deno.test("driverFingerprint: changes with the library that a manifest names", async () => {
  await inTemporaryFolder(async (folder) => {
    const manifest = `${folder}/icd.json`;
    const env = (name: string) => name === "VK_DRIVER_FILES" ? manifest : undefined;
    const missing = driverFingerprint(env);
    await Deno.writeTextFile(manifest, '{"ICD":{"library_path":"./driver.so","api_version":"1.3.0"}}');
    const without = driverFingerprint(env);
    await Deno.writeTextFile(`${folder}/driver.so`, "old");
    const old = driverFingerprint(env);
    assert.equal(driverFingerprint(env), old);
    await Deno.writeTextFile(`${folder}/driver.so`, "newer");
    assert.equal(new Set([missing, without, old, driverFingerprint(env)]).size, 4);
  });
});

Deno.test("fastest: of the right ones, where there was a choice", () => {
  const winners = fastest({
    "product a": { first: 2, second: 1 },
    "product b": { first: 2, second: null },
    "product c": { first: null, second: null },
    "product d": { first: 2 },
  });
  assert.deepEqual([...winners], [["product a", "second"], ["product b", "first"]]);
});
