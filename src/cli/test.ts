/** `test`: the project's tests, run with the Deno that runs this. */
import { stripVTControlCharacters } from "node:util";
import type { CommonOptions } from "./options.ts";

const ROOT = new URL("../../", import.meta.url);

async function deno(args: string[]): Promise<{ code: number; output: string }> {
  const child = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdout: "piped", stderr: "inherit" }).spawn();
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    await Deno.stdout.write(new TextEncoder().encode(text));
  }
  return { code: (await child.status).code, output };
}

/** Runs the tests below `paths` (default: all) and ends with the line "N passed, N failed". */
export async function test(paths: string[], { quiet }: CommonOptions): Promise<void> {
  const reporter = quiet ? ["--reporter=dot"] : [];
  const { code, output } = await deno([
    "test",
    "-A",
    "--no-check",
    "--frozen",
    ...reporter,
    ...(paths.length ? paths : ["tests/"]),
  ]);
  const summary = /(\d+) passed.*?(\d+) failed(?![\s\S]*\d+ passed)/.exec(stripVTControlCharacters(output));
  console.log(`${summary?.[1] ?? 0} passed, ${summary?.[2] ?? 1} failed`);
  if (code !== 0) Deno.exit(1);
}
