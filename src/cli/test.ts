/** `test`: the project's tests, run with the Deno that runs this, in a few processes at a time. */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { EntailError } from "../errors.ts";
import { installCommand, isDawnInstalled } from "../gpu/dawn.ts";
import { openGpu } from "../gpu/device.ts";
import type { CommonOptions } from "./options.ts";
import { say } from "./say.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Test files of a process: enough to be worth its start, few enough that all end at about the same time. */
const FILES_OF_A_PROCESS = 8;

/** At most; each takes as many threads for its kernels as there are cores. */
const PROCESSES = 4;

/** What Deno is told beside the files. */
interface Selection {
  args: string[];
  env: Record<string, string>;
}

/** What needs a browser. */
const BROWSER_TESTS = join("tests", "browser");

/** Tests that are made by `matrixTest` of tests/support/gpu.ts. */
const ON_MATRICES = { call: "matrixTest(", args: ["--filter", "on matrices"], env: { ENTAIL_BACKEND: "dawn" } };

/**
 * Runs the tests below `paths` (default: all, without those that need a browser unless it is asked for) and ends with the
 * line "N passed, N failed". `matrices`: only those on tensor cores, and these on real ones.
 */
export async function test(
  paths: string[],
  { quiet, browser, matrices }: CommonOptions & { browser?: boolean; matrices?: boolean },
): Promise<void> {
  const isLeftOut = (file: string) =>
    matrices
      ? !read(file).includes(ON_MATRICES.call)
      : paths.length === 0 && !browser && file.startsWith(join(BROWSER_TESTS, "/"));
  const files = (paths.length ? paths : ["tests"]).flatMap(testFiles).filter((file) => !isLeftOut(file));
  if (matrices) {
    if (files.length === 0) throw new EntailError("usage", `test --matrices ${paths.join(" ")}: no tests on matrices`);
    say(await adapterWithMatrices());
  }
  const selection: Selection = { args: [], env: {}, ...(matrices && ON_MATRICES) };
  if (quiet) selection.args = [...selection.args, "--reporter=dot"];
  const parts = dealt(files);
  let [passed, failed] = [0, 0];
  const failures: string[] = [];
  const runParts = async () => {
    for (let part = parts.shift(); part; part = parts.shift()) {
      const { code, output, errors } = await denoTest(part, selection);
      const summary = /(\d+) passed.*?(\d+) failed(?![\s\S]*\d+ passed)/.exec(stripVTControlCharacters(output));
      passed += Number(summary?.[1] ?? 0);
      failed += Number(summary?.[2] ?? 1);
      if (code !== 0) failures.push(errors);
    }
  };
  await Promise.all(Array.from({ length: Math.min(navigator.hardwareConcurrency, PROCESSES, parts.length) }, runParts));
  for (const errors of failures) await print(errors);
  console.log(`${passed} passed, ${failed} failed`);
  if (failures.length > 0) Deno.exit(1);
}

/** The adapter that has tensor cores, in a line; throws where there is none. */
async function adapterWithMatrices(): Promise<string> {
  const { name, whyBackend, can, matrix: { m, n, k, subgroup }, close } = await openGpu({ backend: "auto" });
  close();
  if (can.matrices) return `${name}: products of ${m}×${n}×${k} by subgroups of ${subgroup}`;
  const dawn = isDawnInstalled() ? "" : `Dawn (${installCommand()}) and `;
  throw new EntailError(
    "adapter",
    `test --matrices: ${whyBackend}; install ${dawn}the driver of a card with tensor cores, or the software adapter of ` +
      "Mesa 26.1 or newer (Debian: mesa-vulkan-drivers from trixie-backports)",
  );
}

const print = (text: string): Promise<unknown> => Deno.stdout.write(new TextEncoder().encode(text));

/** The test files below a folder, seen from the project's; a file is itself, and so is what is not there. */
function testFiles(path: string): string[] {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(resolve(ROOT, path))];
  } catch {
    return [path];
  }
  return entries.sort((a, b) => a.name < b.name ? -1 : 1).flatMap(({ name, isDirectory }) => {
    if (isDirectory) return testFiles(join(path, name));
    return name.endsWith("_test.ts") ? [join(path, name)] : [];
  });
}

/** What is not there says nothing. */
function read(file: string): string {
  try {
    return Deno.readTextFileSync(resolve(ROOT, file));
  } catch {
    return "";
  }
}

/** Neighbours, which are likely to take as long as each other, go to different parts. */
function dealt(files: readonly string[]): string[][] {
  const count = Math.max(1, Math.ceil(files.length / FILES_OF_A_PROCESS));
  return Array.from({ length: count }, (_, part) => files.filter((_, i) => i % count === part));
}

/** Prints what the tests say line by line, but from the list of errors on, which is to stand last: `errors`. */
async function denoTest(
  files: readonly string[],
  { args: more, env }: Selection,
): Promise<{ code: number; output: string; errors: string }> {
  const args = ["test", "-A", "--no-check", "--frozen", ...more, ...files];
  const options = { args, env, cwd: ROOT, stdout: "piped", stderr: "inherit" } as const;
  const child = new Deno.Command(Deno.execPath(), options).spawn();
  let [output, pending, errors] = ["", "", ""];
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    const lines = (pending + text).split("\n");
    pending = lines.pop()!;
    for (const line of lines) {
      if (errors !== "" || stripVTControlCharacters(line) === " ERRORS ") errors += `${line}\n`;
      else await print(`${line}\n`);
    }
  }
  if (errors === "") await print(pending);
  else errors += pending;
  return { code: (await child.status).code, output, errors };
}
