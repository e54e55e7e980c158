/**
 * Finding the fastest variants for the calls of a session (gpu.tune): `quick` looks at the calls that make up most of the
 * time and at the best guesses of their tables, `max` at everything. What is measured goes into the cache at once.
 */
import { EntailError } from "../errors.ts";
import { duration } from "../formats/human.ts";
import type { Gpu } from "../gpu/device.ts";
import { fastest, type Times, tuningCache } from "./cache.ts";
import { type Call, measure } from "./measure.ts";

export type TuneLevel = "off" | "quick" | "max";

export interface TuneOptions {
  level: TuneLevel;
  /** Variants that are settled, by operation and key. */
  known: ReadonlyMap<string, string>;
  progress(done: number, total: number): void;
  info(line: string): void;
  /** A variant that is wrong here, a cache that cannot be used. */
  warn(line: string): void;
  signal?: AbortSignal;
}

/** What `quick` looks at: this share of the time, and so many rows of a table. */
const QUICK = { share: 0.9, rows: 3 };

const idOf = ({ choice: { operation, key } }: Call): string => `${operation} ${key}`;

/** The variants for `Gpu.tuned`: those known, and the fastest of the others. */
export async function tune(
  gpu: Gpu,
  calls: readonly Call[],
  { level, known, progress, info, warn, signal }: TuneOptions,
): Promise<ReadonlyMap<string, string>> {
  if (level === "off") return known;
  const cache = tuningCache(gpu, warn);
  const times: Times = await cache.read();
  const open = calls.filter((call) => call.choice.append && call.choice.variants.length > 1 && !known.has(idOf(call)));

  let measured = 0;
  /** Measures the first variants of each call, `most` of them, unless all are in the cache. */
  async function measureFirst(some: readonly Call[], most: number): Promise<void> {
    const namesOf = ({ choice: { variants } }: Call) => variants.slice(0, most);
    const left = some.filter((call) => namesOf(call).some((name) => !(name in (times[idOf(call)] ?? {}))));
    const total = left.reduce((sum, call) => sum + namesOf(call).length, 0);
    let done = 0;
    for (const call of left) {
      if (signal?.aborted) throw new EntailError("interrupted", "interrupted while kernels were tuned");
      const of = await measure(gpu, call, namesOf(call), { measured: () => progress(++done, total), wrong: warn });
      times[idOf(call)] = of;
      measured++;
      await cache.add({ [idOf(call)]: of }).catch(({ message }: Error) => warn(`${message}; nothing is kept`));
    }
  }

  const began = performance.now();
  if (level === "quick") {
    await measureFirst(open, 1);
    await measureFirst(heaviest(open, times), QUICK.rows);
  } else {
    await measureFirst(open, Infinity);
  }
  if (measured > 0) {
    const seconds = duration((performance.now() - began) / 1000);
    info(`gpu.tune=${level}: ${measured} calls measured in ${seconds}, kept in ${cache.file}`);
  }
  const ids = open.map(idOf).filter((id) => id in times);
  return new Map([...fastest(Object.fromEntries(ids.map((id) => [id, times[id]]))), ...known]);
}

/** The calls that make up most of the time, by their first variant, the heaviest first. */
function heaviest(calls: readonly Call[], times: Times): Call[] {
  const weighed = calls.map((call) => ({
    call,
    weight: call.choice.calls * (times[idOf(call)]?.[call.choice.variants[0]] ?? 0),
  })).sort((a, b) => b.weight - a.weight);
  const total = weighed.reduce((sum, { weight }) => sum + weight, 0);
  let before = 0;
  return weighed.filter(({ weight }) => {
    const isHeavy = before < QUICK.share * total;
    before += weight;
    return isHeavy;
  }).map(({ call }) => call);
}
