/** `compile`: one self-contained binary by `deno compile`. */
import { EntailError } from "../errors.ts";
import { resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";

const ROOT = new URL("../../", import.meta.url);

/** What the binary reads at run time besides its modules. */
const INCLUDED = [
  "kernels",
  "configs",
  "data/demo",
  "src/dataset/tokenize_worker.ts",
  "src/deberta/modeling_entail_deberta_v2.py",
];

export async function compile(overrides: string[], options: CommonOptions & { output: string }): Promise<void> {
  if (!resolveConfig(overrides, options)) return;
  const output = new URL(options.output, `file://${Deno.cwd()}/`).pathname;
  const included = INCLUDED.flatMap((path) => ["--include", path]);
  const args = [
    "compile",
    "-A",
    "--no-check",
    "--quiet",
    "--exclude-unused-npm",
    ...included,
    "--output",
    output,
    "src/cli/main.ts",
  ];
  const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stderr: "piped" }).output();
  if (code === 0) return console.log(`${output}: ${((await Deno.stat(output)).size / 2 ** 20).toFixed(0)} MiB`);
  const message = new TextDecoder().decode(stderr).trim();
  if (/denort|download/i.test(message)) {
    throw new EntailError(
      "usage",
      `deno compile needs the runtime binary denort ${Deno.version.deno}, which could not be fetched; put it beside ` +
        "deno or name it in DENORT_BIN",
    );
  }
  throw new Error(`deno compile failed: ${message.split("\n").at(-1)}`);
}
