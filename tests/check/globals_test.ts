import assert from "node:assert/strict";
import { globalProblems } from "../../src/check/globals.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const USES = [
  "const adapter = await navigator.gpu?.requestAdapter();",
  "const gpu = globalThis.navigator.gpu;",
  "const usage = GPUBufferUsage.STORAGE;",
  "const { READ } = GPUMapMode;",
  "if (error instanceof GPUOutOfMemoryError) throw error;",
  "throw new GPUValidationError('x');",
];

const TYPES = [
  "let device: GPUDevice | Map<string, GPUBuffer>;",
  "interface Globals { GPUMapMode: typeof GPUMapMode }",
  "const { STORAGE } = gpu.backend.BufferUsage, usage: GPUBufferUsageFlags = STORAGE;",
  "const workers = navigator.hardwareConcurrency;",
];

Deno.test("globalProblems: names each line that uses a global of WebGPU, and no types", async () => {
  await inTemporaryFolder((folder) => {
    Deno.mkdirSync(`${folder}/src/gpu`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/src/gpu/deno.ts`, USES.join("\n"));
    Deno.writeTextFileSync(`${folder}/src/gpu/types.ts`, TYPES.join("\n"));
    Deno.writeTextFileSync(`${folder}/src/uses.ts`, USES.join("\n"));
    const problems = globalProblems(new URL(`file://${folder}/`));
    assert.deepEqual(problems.map((line) => line.split(": ")[0]), USES.map((_, index) => `src/uses.ts:${index + 1}`));
    assert.equal(problems[2], "src/uses.ts:3: GPUBufferUsage is used by src/gpu/deno.ts alone; ask gpu.backend for it");
    return Promise.resolve();
  });
});

Deno.test("globalProblems: none in this project", () => {
  assert.deepEqual(globalProblems(new URL("../../", import.meta.url)), []);
});
