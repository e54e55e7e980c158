/**
 * What was measured on this machine, in a file for each adapter with its driver, backend, Deno version, kernels and tables
 * of variants: `$XDG_CACHE_HOME/entail/tuned-….json`, else in ~/.cache. Whoever adds to it holds a lock, reads what is
 * there by then and writes both, so that processes that tune at once lose nothing.
 */
import { join } from "node:path";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { textDigest } from "../formats/digest.ts";
import type { Gpu } from "../gpu/device.ts";
import { kernelsText } from "../gpu/kernel.ts";
import { OPERATIONS } from "../nn/operations.ts";
import { driverFingerprint } from "./driver.ts";

/** Milliseconds by variant; null where it computed something else than it should. */
export type VariantTimes = Readonly<Record<string, number | null>>;

/** By operation and key, as in `Gpu.tuned`. */
export type Times = Record<string, VariantTimes>;

interface CacheFile {
  version: 1;
  /** For people: what the file's name is a digest of. */
  of: { adapter: string; backend: string; deno: string; driver: string; kernels: string };
  times: Times;
}

export interface TuningCache {
  readonly file: string;
  /** Empty, after a notice, where the file is damaged: the next `add` writes it anew. */
  read(): Promise<Times>;
  add(times: Times): Promise<void>;
}

/** The cache of an adapter. `notice` is told, once, of a file that cannot be read. */
export function tuningCache(gpu: Gpu, notice: (line: string) => void, folder = cacheFolder()): TuningCache {
  const of = {
    adapter: gpu.name,
    backend: gpu.backend.name,
    deno: Deno.version.deno,
    driver: textDigest(driverFingerprint()).slice(0, 16),
    kernels: textDigest(kernelsText() + tablesText()).slice(0, 16),
  };
  const file = join(folder, `tuned-${textDigest(JSON.stringify(of)).slice(0, 16)}.json`);
  let noticed = false;

  async function read(): Promise<Times> {
    let text: string;
    try {
      text = await Deno.readTextFile(file);
    } catch {
      return {};
    }
    const times = timesIn(text);
    if (times === null && !noticed) {
      noticed = true;
      notice(`${file}: not a tuning cache; it is left out and will be written anew`);
    }
    return times ?? {};
  }

  return {
    file,
    read,
    async add(times) {
      await Deno.mkdir(folder, { recursive: true });
      using lock = await Deno.open(folder);
      await lock.lock(true);
      const content: CacheFile = { version: 1, of, times: { ...await read(), ...times } };
      await writeFileAtomic(file, JSON.stringify(content, null, 1) + "\n");
    },
  };
}

/** Null for what is not the text of a cache file. */
function timesIn(text: string): Times | null {
  try {
    const { version, times } = JSON.parse(text) as CacheFile;
    const areTimes = Object.values(times).every((of) =>
      Object.values(of).every((ms) => ms === null || typeof ms === "number")
    );
    return version === 1 && areTimes ? times : null;
  } catch {
    return null;
  }
}

function cacheFolder(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") || join(Deno.env.get("HOME") ?? ".", ".cache");
  return join(base, "entail");
}

/** The rows of all tables, the conditions of their variants included. */
const tablesText = (): string =>
  JSON.stringify(OPERATIONS, (_, value) => typeof value === "function" ? `${value}` : value);

/** The fastest variant, where there was a choice, by operation and key. */
export function fastest(times: Times): Map<string, string> {
  const winners = new Map<string, string>();
  for (const [id, of] of Object.entries(times)) {
    const right = Object.entries(of).filter((entry): entry is [string, number] => entry[1] !== null);
    if (Object.keys(of).length < 2 || right.length === 0) continue;
    winners.set(id, right.reduce((best, other) => other[1] < best[1] ? other : best)[0]);
  }
  return winners;
}
