/** `test`: the project's tests, run with the Deno that runs this, in a few processes at a time. */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import type { CommonOptions } from "./options.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Test files of a process: enough to be worth its start, few enough that all end at about the same time. */
const FILES_OF_A_PROCESS = 8;

/** At most; each takes as many threads for its kernels as there are cores. */
const PROCESSES = 4;

/** What needs a browser. */
const BROWSER_TESTS = join("tests", "browser");

/**
 * Runs the tests below `paths` (default: all, without those that need a browser unless it is asked for) and ends with the
 * line "N passed, N failed".
 */
export async function test(paths: string[], { quiet, browser }: CommonOptions & { browser?: boolean }): Promise<void> {
  const files = (paths.length ? paths : ["tests"]).flatMap(testFiles);
  const isLeftOut = (file: string) => paths.length === 0 && !browser && file.startsWith(join(BROWSER_TESTS, "/"));
  const parts = dealt(files.filter((file) => !isLeftOut(file)));
  let [passed, failed] = [0, 0];
  const failures: string[] = [];
  const runParts = async () => {
    for (let part = parts.shift(); part; part = parts.shift()) {
      const { code, output, errors } = await denoTest(part, quiet ?? false);
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

/** Neighbours, which are likely to take as long as each other, go to different parts. */
function dealt(files: readonly string[]): string[][] {
  const count = Math.max(1, Math.ceil(files.length / FILES_OF_A_PROCESS));
  return Array.from({ length: count }, (_, part) => files.filter((_, i) => i % count === part));
}

/** Prints what the tests say line by line, but from the list of errors on, which is to stand last: `errors`. */
async function denoTest(
  files: readonly string[],
  quiet: boolean,
): Promise<{ code: number; output: string; errors: string }> {
  const args = ["test", "-A", "--no-check", "--frozen", ...(quiet ? ["--reporter=dot"] : []), ...files];
  const child = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdout: "piped", stderr: "inherit" }).spawn();
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
