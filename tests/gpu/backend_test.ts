/** What a `Gpu` promises on every backend. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { dawnBackend, isDawnInstalled } from "../../src/gpu/dawn.ts";
import { denoBackend } from "../../src/gpu/deno.ts";
import { gpuError, lossError, openGpu } from "../../src/gpu/device.ts";
import { createTensor, readTensor } from "../../src/gpu/tensor.ts";
import { gpuTest, openTestGpu, testBackend } from "../support/gpu.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

Deno.test("dawnBackend: a package that is missing, or another version of it, is told with the command that installs it", async () => {
  await inTemporaryFolder(async (folder) => {
    const expected = {
      kind: "adapter",
      message: `gpu.backend=dawn: not installed; run: npm install --prefix "${folder}" webgpu@0.6.2`,
    };
    await assert.rejects(dawnBackend(new URL(`file://${folder}/`)), expected);
    await Deno.mkdir(`${folder}/node_modules/webgpu`, { recursive: true });
    for (const text of [`{ "version": "0.6.1" }`, "{"]) {
      await Deno.writeTextFile(`${folder}/node_modules/webgpu/package.json`, text);
      await assert.rejects(dawnBackend(new URL(`file://${folder}/`)), expected);
    }
  });
});

/** A registry with one package: `webgpu`, which does nothing, in this version. Returns its address. */
async function serveWebgpu(version: string, folder: string): Promise<{ url: string; close(): Promise<void> }> {
  const manifest = { name: "webgpu", version };
  await Deno.mkdir(join(folder, "package"));
  await Deno.writeTextFile(join(folder, "package/package.json"), JSON.stringify(manifest));
  const tarball = join(folder, "webgpu.tgz");
  assert.ok((await new Deno.Command("tar", { args: ["-czf", tarball, "-C", folder, "package"] }).output()).success);
  const server = Deno.serve({ port: 0, onListen() {} }, async ({ url }) => {
    if (url.endsWith(".tgz")) return new Response(await Deno.readFile(tarball));
    const versions = { [version]: { ...manifest, dist: { tarball: new URL("/webgpu.tgz", url).href } } };
    return Response.json({ name: "webgpu", "dist-tags": { latest: version }, versions });
  });
  return { url: `http://localhost:${server.addr.port}/`, close: () => server.shutdown() };
}

Deno.test("dawnBackend: the command that it says installs the package, wherever that is", async () => {
  await inTemporaryFolder(async (root) => {
    const folder = new URL(`file://${join(root, "of $one's")}/`);
    const { message } = await dawnBackend(folder).then(() => assert.fail(), (error) => error);
    const [, command] = /run: (.*)$/.exec(message)!;
    const registry = await serveWebgpu("0.6.2", root);
    try {
      const { code, stderr } = await new Deno.Command("sh", {
        args: ["-c", command],
        env: { npm_config_registry: registry.url, npm_config_cache: join(root, "cache") },
      }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
    } finally {
      await registry.close();
    }
    assert.ok(isDawnInstalled(folder));
  });
});

gpuTest("openGpu: auto is Dawn where that has tensor cores, else Deno's own, and says why", async () => {
  const { backend, whyBackend, can, close } = await openGpu({ backend: "auto" });
  close();
  const expected = can.matrices ? ["dawn", /^its adapter has tensor cores$/] : ["deno", /^Dawn('s adapter)? /];
  assert.equal(backend.name, expected[0]);
  assert.match(whyBackend!, expected[1] as RegExp);
});

gpuTest("denoBackend: a device without what is asked for in vain, where a request for that is refused", async () => {
  const backend = denoBackend("texture-compression-astc");
  const device = await backend.requestDevice((await backend.requestAdapter({}))!, {});
  assert.ok(!device.features.has("subgroups"));
  device.destroy();
});

const SHADERS = {
  f16: "var<private> x: f16; @compute @workgroup_size(1) fn main() { x = x * 2h; }",
  subgroups: "var<private> x: f32; @compute @workgroup_size(64) fn main() { x = subgroupAdd(x); }",
};

gpuTest("openGpu: shaders may use what it says, and nothing that it denies", async ({ backend, can, device }) => {
  for (const what of ["f16", "subgroups"] as const) {
    const enable = backend.knownExtensions.includes(what) ? "" : `enable ${what};`;
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code: enable + SHADERS[what] });
    device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
    assert.equal(await device.popErrorScope() === null, can[what], what);
  }
});

gpuTest("openGpu: 16-bit floats can be written", async (gpu) => {
  const tensor = await createTensor(gpu, "halves", [4]);
  const values = Float16Array.of(9, 1, -2.5, 65504, 0.1, 6e-8, NaN, 7, 9);
  gpu.device.queue.writeBuffer(tensor.buffer!, 0, values, 1, 4);
  gpu.device.queue.writeBuffer(tensor.buffer!, 8, values.subarray(5, 7));
  const read = new Float16Array((await readTensor(gpu, tensor)).buffer);
  assert.deepEqual([...read], [...values.subarray(1, 7), 0, 0]);
});

gpuTest("gpuError: out of memory keeps its kind, whatever the device says comes as one line", ({ backend }) => {
  const out = gpuError(
    backend,
    new backend.OutOfMemoryError("vkCreateBuffer failed.\n - While calling [Device]\n"),
    "x",
  );
  assert.equal(out.kind, "memory");
  assert.match(out.message, /^out of memory on the device: x: vkCreateBuffer failed: While calling \[Device\]; lower/);
  const other = gpuError(backend, { message: "In a dispatch\n\nCaused by:\n  no pipeline" } as GPUError);
  assert.equal(other.kind, "adapter");
  assert.equal(other.message, "the device refused a command: In a dispatch: no pipeline");
  return Promise.resolve();
});

Deno.test("lossError: a device that is lost for want of memory is out of memory", () => {
  const message =
    "vkQueueSubmit failed with VK_ERROR_OUT_OF_DEVICE_MEMORY\n    at CheckVkOOMThenSuccessImpl (a.cpp:9)\n";
  const { kind, message: line } = lossError({ reason: "unknown", message });
  assert.equal(kind, "memory");
  assert.match(
    line,
    /^out of memory on the device: device lost \(unknown\): vkQueueSubmit [^\n]*MEMORY; lower [\w.]+$/,
  );
  assert.equal(lossError({ reason: "unknown", message: "VK_ERROR_DEVICE_LOST" }).kind, "adapter");
});

gpuTest("check: throws what the device reports outside an error scope", async () => {
  const gpu = await openTestGpu();
  gpu.check();
  const { buffer } = await createTensor(gpu, "small", [4]);
  const encoder = gpu.device.createCommandEncoder();
  encoder.clearBuffer(buffer!, 0, 1024);
  gpu.device.queue.submit([encoder.finish()]);
  await gpu.device.queue.onSubmittedWorkDone();
  assert.throws(() => gpu.check(), { kind: "adapter", message: /^the device refused a command: [^\n]*1024[^\n]*$/ });
  gpu.close();
});

gpuTest("readTensor: from a lost device is refused with the kind adapter", async () => {
  const gpu = await openTestGpu();
  const tensor = await createTensor(gpu, "kept", [4]);
  const reading = readTensor(gpu, tensor);
  gpu.device.destroy();
  await assert.rejects(reading, { kind: "adapter", message: /device/ });
  await gpu.device.lost;
  assert.throws(() => gpu.check(), {
    kind: "adapter",
    message: /^device lost \(destroyed\).*from the last checkpoint$/,
  });
  await assert.rejects(readTensor(gpu, tensor), { kind: "adapter" });
});

/** The exit status of a process that opens the device, gives it work, and then does `last`. */
async function exitStatus(last: string): Promise<{ code: number; stderr: string }> {
  const program = `
    import { openGpu } from ${JSON.stringify(new URL("../../src/gpu/device.ts", import.meta.url).href)};
    const { device, ...gpu } = await openGpu({ backend: ${JSON.stringify(testBackend)} });
    const code = "@group(0) @binding(0) var<storage, read_write> x: array<f32, 4096>; @compute @workgroup_size(64) " +
      "fn main(@builtin(global_invocation_id) id: vec3u) { for (var i = 0; i < 5000; i++) { x[id.x] = sin(x[id.x]); } }";
    const module = device.createShaderModule({ code });
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
    const buffer = device.createBuffer({ size: 4096 * 4, usage: gpu.backend.BufferUsage.STORAGE });
    const entries = [{ binding: 0, resource: { buffer } }];
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(64);
    pass.end();
    device.queue.submit([encoder.finish()]);
    ${last}`;
  const command = new Deno.Command(Deno.execPath(), { args: ["eval", program], stdout: "null", stderr: "piped" });
  const { code, stderr } = await command.output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("openGpu: a process ends with its own status, whatever the device still does", async () => {
  for (const [last, expected] of [["", 0], ["gpu.close();", 0], ["Deno.exit(5);", 5], ["throw 1;", 1]] as const) {
    const { code, stderr } = await exitStatus(last);
    assert.equal(code, expected, `${last || "nothing"}: ${stderr}`);
  }
});
