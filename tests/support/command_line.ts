/** The command line in a process of its own, as a user runs it. */
import assert from "node:assert/strict";

export const MAIN = decodeURIComponent(new URL("../../src/cli/main.ts", import.meta.url).pathname);

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

export function start(
  args: string[],
  stdin: "piped" | "null" = "null",
  env: Record<string, string> = {},
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", MAIN, ...args],
    stdin,
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", ...env },
  }).spawn();
}

export async function entail(args: string[], input?: string, env?: Record<string, string>): Promise<Result> {
  const child = start(args, input === undefined ? "null" : "piped", env);
  if (input !== undefined) await new Blob([input]).stream().pipeTo(child.stdin);
  return await resultOf(child);
}

/** What Dawn writes of a Vulkan driver, and nothing turns off: not what a command has to say. */
const FROM_DAWN = /^Warning: (?:vk|max|Vulkan )\w+.*\n(?: - While .*\n)?(?: +at \w+ \(.*\)\n\n)?/gm;

/** How a command ended and what it said. */
export async function resultOf(child: { output(): Promise<Deno.CommandOutput> }): Promise<Result> {
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr).replace(FROM_DAWN, "") };
}

/** The exit status and the one line on stderr of a command that must fail. */
export async function failure(args: string[], env?: Record<string, string>): Promise<[number, string]> {
  const { code, stderr } = await entail(args, undefined, env);
  return [code, errorLine(stderr)];
}

/** The one `error:` line in what a command said. */
export function errorLine(stderr: string): string {
  const lines = stderr.trim().split("\n").filter((line) => line.startsWith("error: "));
  assert.equal(lines.length, 1, stderr);
  assert.doesNotMatch(stderr, /^\s+at /m, "a stack trace");
  return lines[0];
}
