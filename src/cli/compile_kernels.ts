/**
 * Compiles kernels for `check`, a part of them in each of a few processes at a time: drivers keep megabytes of every kernel
 * until the process ends. Run by itself, this file is such a process: specifications come in and problems go out as JSON.
 */
import { fileURLToPath } from "node:url";
import { compileProblems } from "../check/kernels.ts";
import { composeConfig } from "../config/config.ts";
import type { KernelSpec } from "../gpu/kernel.ts";
import { openConfiguredGpu } from "./context.ts";

const KERNELS_OF_A_PROCESS = 150;
const PROCESSES = 4;

/** What keeps each of the kernels from being compiled, or null. */
export async function compileInProcesses(specs: readonly KernelSpec[]): Promise<(string | null)[]> {
  const problems: (string | null)[] = [];
  let next = 0;
  const work = async () => {
    while (next < specs.length) {
      const first = next;
      next += KERNELS_OF_A_PROCESS;
      const found = await compileApart(specs.slice(first, next));
      found.forEach((problem, i) => problems[first + i] = problem);
    }
  };
  await Promise.all(Array.from({ length: Math.min(navigator.hardwareConcurrency, PROCESSES) }, work));
  return problems;
}

async function compileApart(specs: readonly KernelSpec[]): Promise<(string | null)[]> {
  const args = ["run", "-A", "--no-check", "--frozen", "--quiet", fileURLToPath(import.meta.url)];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(JSON.stringify(specs)));
  await input.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("a process that compiles kernels ended with an error");
  return JSON.parse(new TextDecoder().decode(stdout));
}

if (import.meta.main) {
  const gpu = await openConfiguredGpu(composeConfig([]));
  const specs: KernelSpec[] = await new Response(Deno.stdin.readable).json();
  console.log(JSON.stringify(await compileProblems(gpu, specs)));
  gpu.close();
}
