/** The asking side: starts contestants, asks them with a time limit, and races them. */
import { lastWords } from "../last_words.ts";
import { median } from "../../../src/tuning/median.ts";
import type { Introduction, Job, Prepared, Request, Timing } from "./job.ts";

export interface Contestant {
  readonly name: string;
  /** Throws what the contestant answers instead, or that it has ended or took too long; then it is gone. */
  ask<Answer>(request: Request): Promise<Answer>;
  stop(): void;
}

const PEERS = new URL("./", import.meta.url);
const CONFIGURATION = new URL("../../../deno.json", import.meta.url);

/** Runs peers/FILE, with what follows a space as arguments: Python by the interpreter `python`, all else by this Deno. */
export async function startContestant(contestant: string, limitMs: number, python = "python3"): Promise<Contestant> {
  const [file, ...given] = contestant.split(" ");
  const path = new URL(file, PEERS).pathname;
  // Packages of other runtimes are no dependencies: they stay out of deno.lock, and are fetched when they are compared.
  const own = file === "entail.ts" ? ["--frozen", "--config", CONFIGURATION.pathname] : ["--no-config", "--no-lock"];
  const [command, args] = file.endsWith(".py")
    ? [python, [path, ...given]]
    : [Deno.execPath(), ["run", "-A", "--quiet", "--no-check", ...own, path, ...given]];
  const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const requests = child.stdin.getWriter();
  const answers = answersOf(child);
  let gone = "";
  const stop = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // has ended
    }
  };

  async function next<Answer>(): Promise<Answer> {
    const timer = setTimeout(() => {
      gone = `took longer than ${(limitMs / 1000).toFixed(0)} s`;
      stop();
    }, limitMs);
    const answer = await answers.next();
    clearTimeout(timer);
    if (answer.done) throw new Error(gone ||= answer.value);
    if ("error" in answer.value) throw new Error(answer.value.error);
    return answer.value.ok as Answer;
  }

  const { name } = await next<Introduction>().catch((error) => {
    stop();
    throw error;
  });
  return {
    name,
    ask(request) {
      requests.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`)).catch(() => {}); // gone: `next` says so
      return next();
    },
    stop,
  };
}

type Answer = { ok: unknown } | { error: string };

/** One line of the child's output after another; in the end, how it ended. */
async function* answersOf(child: Deno.ChildProcess): AsyncGenerator<Answer, string> {
  let said = "";
  const listening = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) said = (said + text).slice(-4000);
  })();
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
  const { code, signal } = await child.status;
  await listening;
  const end = `ended with ${signal ?? code}`;
  const why = lastWords(said);
  return why ? `${end}: ${why}` : end;
}

export interface Placed {
  name: string;
  /** What it computed on; null if it did not get that far. */
  device: string | null;
  /** Median of one computation; null if it failed. */
  ms: number | null;
  times: number[];
  peak_bytes?: number;
  error?: string;
}

export interface Race {
  job: Job;
  rounds: number;
  /** How long one turn of a contestant should be. */
  turnMs: number;
  /** Places of the result to look at, and what throws at a wrong value there. */
  sample?: { at: readonly number[]; check(values: readonly number[], name: string): void };
}

const MOST_COMPUTATIONS = 50;
/** Until the clock of a device that has slept is up again. */
const WARM_UP_MS = 600;

/** Every contestant is checked and warmed up first; then they take turns. Failures of one are its own. */
export async function race(
  contestants: readonly Contestant[],
  { job, rounds, turnMs, sample }: Race,
): Promise<Placed[]> {
  const entries = contestants.map((contestant) => {
    const placed: Placed = { name: contestant.name, device: null, ms: null, times: [] };
    return { contestant, placed, count: 1 };
  });
  const eachWithoutError = async (turn: (entry: typeof entries[number]) => Promise<void>) => {
    for (const entry of entries) {
      if (entry.placed.error !== undefined) continue;
      await turn(entry).catch((error: Error) => void (entry.placed.error = error.message));
    }
  };
  await eachWithoutError(async (entry) => {
    const { contestant, placed } = entry;
    placed.device = (await contestant.ask<Prepared>({ prepare: job })).device;
    // Either compiles, too.
    if (sample) sample.check(await contestant.ask({ sample: sample.at }), placed.name);
    else await contestant.ask<Timing>({ time: 1 });
  });
  await eachWithoutError(async (entry) => {
    const end = performance.now() + Math.min(WARM_UP_MS, 10 * turnMs);
    do {
      const { ms } = await entry.contestant.ask<Timing>({ time: entry.count });
      entry.count = Math.min(MOST_COMPUTATIONS, Math.max(1, Math.round(turnMs / ms)));
    } while (performance.now() < end);
  });
  for (let round = 0; round < rounds; round++) {
    await eachWithoutError(async ({ contestant, placed, count }) => {
      const { ms, peak_bytes } = await contestant.ask<Timing>({ time: count });
      placed.times.push(ms);
      if (peak_bytes !== undefined) placed.peak_bytes = peak_bytes;
    });
  }
  return entries.map(({ placed }) => placed.error === undefined ? { ...placed, ms: median(placed.times) } : placed);
}
