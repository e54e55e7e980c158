/** Runs in one sitting and in several, to be compared bit for bit. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Gpu } from "../../src/gpu/device.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { runConfig } from "./run_data.ts";

/** Of a file's content, without the header of a safetensors file, which says which run it is of. */
export async function digestOf(path: string): Promise<string> {
  const bytes = await Deno.readFile(path);
  const header = path.endsWith(".safetensors") ? 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true)) : 0;
  const digest = await crypto.subtle.digest("SHA-256", bytes.subarray(header));
  return new Uint8Array(digest).toHex();
}

/** Everything a run wrote that two equal runs must agree on, byte for byte. */
export async function fingerprint(run: string): Promise<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const fold of ["fold_0", "fold_1"]) {
    for (
      const file of [
        `${fold}/metrics.jsonl`,
        `${fold}/predictions.csv`,
        `checkpoints/${fold}/best/model.safetensors`,
        `checkpoints/${fold}/last/model.safetensors`,
        `checkpoints/${fold}/last/optimizer.safetensors`,
      ]
    ) {
      result[file] = await digestOf(join(run, file));
    }
  }
  return result;
}

/** Runs and aborts after so many reports of optimizer steps, then resumes; returns how often it was interrupted. */
export async function runInPieces(gpu: Gpu, folder: string, abortAfter: number, ...more: string[]): Promise<number> {
  for (let sitting = 0;; sitting++) {
    const controller = new AbortController();
    let reports = 0;
    const reporter = { ...silentReporter, training: () => void (++reports >= abortAfter && controller.abort()) };
    try {
      const config = runConfig(folder, ...more, sitting % 2 === 0 ? "resume=auto" : "resume=true");
      await crossValidate(gpu, config, { reporter, signal: controller.signal });
      return sitting;
    } catch (error) {
      assert.equal((error as { kind?: string }).kind, "interrupted");
    }
  }
}
