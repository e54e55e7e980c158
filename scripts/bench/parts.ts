/** A long measurement in parts: each has a time limit and may fail; what there is is never lost. */
import { lastWords } from "./last_words.ts";

/** A line of the table. */
export interface Row {
  what: string;
  /** What computed it: a runtime, a variant. */
  by: string;
  ms?: number;
  /** Milliseconds that were predicted for this card. */
  predicted?: number;
  rate?: string;
  memory?: string;
  note?: string;
}

export interface Part {
  name: string;
  limitSeconds: number;
  /** Measures within `limitMs`; throws what went wrong. */
  measure(limitMs: number): Promise<Row[]>;
}

export interface Report extends Pick<Part, "name"> {
  seconds: number;
  rows: Row[];
}

/** Less than this is not worth beginning a part. */
const LEAST_MS = 5000;
/** For a part to say by itself that it took too long. */
const GRACE_MS = 3000;

/**
 * The parts in order until `performance.now()`, which counts from the start of the process, is `endMs`. `done` gets
 * everything so far after each, so that it can be written down. A part that fails, takes too long or finds no time left
 * has a row that says so.
 */
export async function runParts(
  parts: readonly Part[],
  endMs: number,
  done: (reports: readonly Report[]) => Promise<void>,
): Promise<Report[]> {
  const reports: Report[] = [];
  for (const { name, limitSeconds, measure } of parts) {
    const begin = performance.now();
    const limit = Math.min(limitSeconds * 1000, endMs - begin);
    const rows = limit < Math.min(LEAST_MS, limitSeconds * 1000)
      ? [failed(name, "no time left")]
      : await withinLimit(measure(limit), limit + GRACE_MS).catch((error: Error) => [failed(name, error.message)]);
    reports.push({ name, seconds: (performance.now() - begin) / 1000, rows });
    await done(reports);
  }
  return reports;
}

function withinLimit<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("does not end")), limitMs);
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

const failed = (what: string, note: string): Row => ({ what, by: "", note: `failed: ${note}` });

/** Standard output of a program; throws its last words if it fails, and ends it after `limitMs`. */
export async function output(
  command: readonly string[],
  limitMs: number,
  env: Record<string, string> = {},
): Promise<string> {
  const [program, ...args] = command;
  const child = new Deno.Command(program, { args, env, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, limitMs);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  if (late) throw new Error(`took longer than ${(limitMs / 1000).toFixed(0)} s`);
  const text = new TextDecoder();
  if (code === 0) return text.decode(stdout);
  throw new Error(lastWords(text.decode(stderr)) || `ended with ${code}`);
}

/** The rows as one Markdown table, with what was predicted where something was. */
export function markdown(reports: readonly Report[]): string {
  const all = reports.flatMap(({ rows }) => rows);
  const isPredicted = all.some(({ predicted }) => predicted !== undefined);
  const number = (ms?: number): string => ms === undefined ? "" : ms.toPrecision(4);
  const cells = all.map(({ what, by, ms, predicted, rate = "", memory = "", note = "" }) =>
    [what, by, number(ms), ...isPredicted ? [number(predicted)] : [], rate, memory, note]
      .map((cell) => cell.replaceAll("|", "\\|"))
  );
  const head = ["what", "by", "ms", ...isPredicted ? ["predicted"] : [], "rate", "memory", "note"];
  return [head, head.map(() => "---"), ...cells].map((row) => `| ${row.join(" | ")} |\n`).join("");
}
