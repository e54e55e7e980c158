/** A contestant's side of the conversation. */
import process from "node:process";
import { createInterface } from "node:readline";
import { adapterInUse, timeOnDevice } from "./device_clock.ts";
import type { Introduction, Job, Prepared, ProductJob, Request, Timing } from "./job.ts";

/** Something prepared, to be computed again and again. */
export interface Task {
  /** Computes `times` times; resolves when the device has finished. */
  run(times: number): Promise<unknown>;
  /** The same by the clock of a device that is not this process's own: its milliseconds. */
  onDevice?(times: number): Promise<number>;
  /** Computes once; the result. */
  result?(): Promise<ArrayLike<number>>;
  /** Device memory at its peak. */
  peakBytes?: number;
  release(): void;
}

/** A runtime; `prepare` throws what it cannot do. */
export interface Runtime {
  name: string;
  /** The adapter, where it is not this process's own. */
  device?: string;
  prepare(job: Job): Promise<Task>;
}

/**
 * Answers requests until the input ends. Products are timed by the device's own clock, so that no runtime depends on
 * another's waiting; whole models by the host's, from the first submission until the last result is there.
 */
export async function serve(open: () => Promise<Runtime>): Promise<void> {
  console.log = console.info = console.error; // libraries greet; the output is for answers
  let task: Task | null = null;
  let kind: Job["kind"] = "product";

  async function answer(runtime: Runtime, request: Request): Promise<unknown> {
    if ("prepare" in request) {
      task?.release();
      task = null;
      task = await runtime.prepare(request.prepare);
      kind = request.prepare.kind;
      return { device: adapterInUse() ?? runtime.device ?? "?" } satisfies Prepared;
    }
    if (!task) throw new Error("nothing is prepared");
    if ("sample" in request) {
      const result = await task.result!();
      return request.sample.map((at) => result[at]);
    }
    const work = () => task!.run(request.time);
    const onDevice = () => task!.onDevice?.(request.time) ?? timeOnDevice(work);
    const ms = await (kind === "product" ? onDevice() : hostTime(work)) / request.time;
    return { ms, peak_bytes: task.peakBytes } satisfies Timing;
  }

  let runtime: Runtime | null = null;
  await say(async () => {
    runtime = await open();
    return { name: runtime.name } satisfies Introduction;
  });
  for await (const line of createInterface({ input: process.stdin })) {
    await say(() => answer(runtime!, JSON.parse(line)));
  }
  Deno.exit(0); // some runtimes hold on to timers
}

/** A runtime's `prepare` that knows products alone. */
export function productsOnly(product: (job: ProductJob) => Promise<Task>): Runtime["prepare"] {
  return (job) => {
    if (job.kind !== "product") throw new Error("takes part in products only");
    return product(job);
  };
}

async function hostTime(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

async function say(compute: () => Promise<unknown>): Promise<void> {
  let answer;
  try {
    answer = { ok: await compute() };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(answer)}\n`));
}
