/**
 * Which variants of kernels a run uses, for each adapter that it has been on: `<output_dir>/kernels.json`. A run that goes
 * on uses them again, whatever else is the fastest by then, because another variant sums in another order.
 */
import { join } from "node:path";
import { EntailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { readJson } from "../formats/json.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Choice } from "../nn/plan.ts";

export const KERNELS_FILE = "kernels.json";

interface ChosenKernels {
  version: 1;
  /** By adapter, the variants by operation and key. */
  adapters: Record<string, Record<string, string>>;
}

const adapterOf = ({ name, backend }: Gpu): string => `${name}, ${backend.name}`;

/** What the run in a folder uses on this adapter; empty where it has not been on it. Data error for a damaged file. */
export async function chosenKernels(outputDir: string, gpu: Gpu): Promise<ReadonlyMap<string, string>> {
  const { adapters } = await read(join(outputDir, KERNELS_FILE));
  return new Map(Object.entries(adapters[adapterOf(gpu)] ?? {}));
}

/** Adds what a session uses; what the run has used before stays. */
export async function addChosenKernels(
  outputDir: string,
  gpu: Gpu,
  choices: readonly Choice[],
): Promise<void> {
  const file = join(outputDir, KERNELS_FILE);
  const { adapters } = await read(file);
  const adapter = adapterOf(gpu);
  const chosen = Object.fromEntries(choices.map(({ operation, key, variant }) => [`${operation} ${key}`, variant]));
  const content: ChosenKernels = {
    version: 1,
    adapters: { ...adapters, [adapter]: { ...adapters[adapter], ...chosen } },
  };
  await writeFileAtomic(file, JSON.stringify(content, null, 2) + "\n");
}

async function read(file: string): Promise<ChosenKernels> {
  if (!await Deno.stat(file).then(() => true, () => false)) return { version: 1, adapters: {} };
  const content = await readJson(file) as Partial<ChosenKernels> | null;
  const isMapping = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (content?.version === 1 && isMapping(content.adapters) && Object.values(content.adapters!).every(isMapping)) {
    return content as ChosenKernels;
  }
  throw new EntailError(
    "data",
    `${file}: does not say which kernels the run uses; remove it to go on with those of today (its bits may differ)`,
  );
}
