/** `check`: what can be proved without running anything: format, lint, types, who imports whom, who names WebGPU's globals, and the kernels. */
import { globalProblems } from "../check/globals.ts";
import { projectImports } from "../check/imports.ts";
import { kernelProblems } from "../check/kernels.ts";
import { compileInProcesses } from "./compile_kernels.ts";
import { roomProblems } from "../check/rooms.ts";
import { type ShaderRequest, shaderText } from "../check/shader.ts";
import { composeConfig } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { openConfiguredGpu } from "./context.ts";
import type { CommonOptions } from "./options.ts";

const ROOT = new URL("../../", import.meta.url);

const DENO_CHECKS = [
  ["fmt", "--check", "--quiet"],
  ["lint", "--quiet"],
  ["check", "--frozen", "--quiet", "mod.ts", "src/", "scripts/", "tests/"],
  ["doc", "--lint", "--quiet", "mod.ts"],
  ["publish", "--dry-run", "--allow-dirty", "--quiet"],
];

/**
 * Throws at the first check that fails, after a line for each thing it found. With `shader` it prints that one and checks
 * nothing else.
 */
export async function check(settings: string[], { quiet, shader }: CommonOptions & { shader?: string }): Promise<void> {
  if (shader !== undefined) return await printShader({ name: shader, settings });
  if (settings.length > 0) throw new EntailError("usage", `check ${settings[0]}: only --shader takes settings`);
  for (const args of DENO_CHECKS) {
    const { success } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).spawn().status;
    if (!success) throw new EntailError("usage", `deno ${args[0]} found something to mend (see above)`);
  }
  refuse("imports", roomProblems(await projectImports(ROOT)));
  refuse("globals", globalProblems(ROOT));
  const gpu = await openConfiguredGpu(composeConfig([]));
  const { kernels, problems } = await kernelProblems(gpu, undefined, compileInProcesses);
  refuse("kernels", problems);
  if (!quiet) {
    console.log(`format, lint, types and imports are in order; ${kernels} kernels compile on ${gpu.name}`);
  }
  gpu.close();
}

async function printShader(request: ShaderRequest): Promise<void> {
  const gpu = await openConfiguredGpu(composeConfig([]));
  try {
    const { head, lines, problem } = await shaderText(gpu, request);
    for (const line of head) console.log(`// ${line}`);
    console.log(lines.join("\n"));
    if (problem) throw new EntailError("usage", `it does not compile on ${gpu.name}: ${problem}`);
  } finally {
    gpu.close();
  }
}

function refuse(what: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  for (const line of problems) console.error(line);
  throw new EntailError("usage", `${what}: ${problems.length} to be mended (see above)`);
}
