/**
 * The clock of a GPU. One that has had little to do, as between compiling and timing, works at a fraction of its clock (an
 * H100 at 345 of 1980 MHz) and takes half a second of work to raise it: what is timed meanwhile looks five times as slow.
 */
import type { Gpu } from "../gpu/device.ts";
import { allocateMemory, compileProgram, type Executable, planMemory } from "../gpu/program.ts";
import type { BatchSizes } from "../nn/plan.ts";
import { planArithmetic } from "./arithmetic.ts";

/** Work that takes a GPU a tenth of a millisecond. */
const WORKGROUPS = 1024;
/** How much of it is done between two looks at the time. */
const PIECE_MS = 20;
const NO_SIZES: BatchSizes = { tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 };

/** What takes longer is not done by a GPU, whatever it is taken for. */
const MOST_MS = 4;
/** Until a clock that has been down is up, for the first time, when nobody knows how fast that is; and at most. */
const FIRST_MS = 800;
const ENOUGH_MS = 1500;
/** Of the shortest time so far. */
const NEARLY = 1.02;

const raisers = new WeakMap<GPUDevice, Promise<() => Promise<void>>>();

/** Keeps the device busy until it works as fast as it did at most. Does nothing on adapters that run on the CPU. */
export async function raiseClock(gpu: Gpu): Promise<void> {
  if (gpu.kind === "software" || !gpu.hasTimestamps) return;
  let raiser = raisers.get(gpu.device);
  if (!raiser) raisers.set(gpu.device, raiser = raiserOf(gpu));
  await (await raiser)();
}

async function raiserOf(gpu: Gpu): Promise<() => Promise<void>> {
  const { plan } = planArithmetic(gpu, WORKGROUPS);
  await allocateMemory(gpu, plan.label, planMemory([plan])); // for as long as the device is there
  const program: Executable<BatchSizes> = await compileProgram(gpu, plan);
  const time = async () => (await program.profile(NO_SIZES))[0].nanoseconds / 1e6;
  await time();
  const ms = await time();
  if (ms > MOST_MS) return () => Promise.resolve();
  // By the time that one takes: an adapter on a fast CPU that is taken for a GPU is not kept busy for minutes.
  const runs = Math.ceil(PIECE_MS / ms);
  return raising(async () => {
    for (let run = 0; run < runs; run++) program.run(NO_SIZES);
    return await time();
  });
}

/** Calls `work`, which says how long a piece of it took, until that is nearly the shortest of all so far. */
export function raising(work: () => Promise<number>, now: () => number = () => performance.now()): () => Promise<void> {
  let shortest = Infinity;
  return async () => {
    const began = now();
    const isFirst = shortest === Infinity;
    while (true) {
      const ms = await work();
      shortest = Math.min(shortest, ms);
      const elapsed = now() - began;
      if (elapsed > ENOUGH_MS || ms <= NEARLY * shortest && !(isFirst && elapsed < FIRST_MS)) return;
    }
  };
}
