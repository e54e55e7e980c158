/** `compile`: one self-contained binary by `deno compile`. */
import { dirname, resolve } from "node:path";
import { PAGE_MODULES } from "../dashboard/assets.ts";
import { EntailError } from "../errors.ts";
import { inShort } from "../formats/human.ts";
import { resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";

const ROOT = new URL("../../", import.meta.url);

/** What the binary reads at run time besides its modules. */
const INCLUDED = [
  "kernels",
  "configs",
  "data/demo",
  "src/dataset/tokenize_worker.ts",
  "src/models/modeling_entail.py",
  "src/report",
  "src/dashboard/page",
  ...PAGE_MODULES.map((path) => `src/${path}`),
];

export async function compile(overrides: string[], options: CommonOptions & { output: string }): Promise<void> {
  if (!resolveConfig(overrides, options)) return;
  const output = resolve(options.output);
  await checkPlace(output);
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
  const command = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stderr: "piped", env: { NO_COLOR: "1" } });
  const { code, stderr } = await command.output();
  if (code === 0) return console.log(`${output}: ${((await Deno.stat(output)).size / 2 ** 20).toFixed(0)} MiB`);
  throw new EntailError("usage", failureOf(new TextDecoder().decode(stderr)));
}

/** The binary replaces a file or is a new one in a folder that is there. */
async function checkPlace(output: string): Promise<void> {
  const isFolder = async (path: string) => (await Deno.stat(path).catch(() => undefined))?.isDirectory;
  if (await isFolder(output)) throw new EntailError("usage", `--output ${output}: is a folder, name a file`);
  if (await isFolder(dirname(output))) return;
  throw new EntailError("usage", `--output ${output}: there is no folder ${dirname(output)}`);
}

/** What `deno compile` says, in one line. */
function failureOf(said: string): string {
  if (/denort|download/i.test(said)) {
    return `deno compile needs the runtime binary denort ${Deno.version.deno}, which could not be fetched; put it ` +
      "beside deno or name it in DENORT_BIN";
  }
  const reason = /^error: (.*(?:\n\n?Caused by:\n.*)?)/m.exec(said)?.[1] ?? said.trim();
  return `deno compile failed: ${inShort(reason.replace(/\s+/g, " "))}`;
}
