/** `status`: the studies of a storage at a glance. */
import { duration, paramText, percent } from "../formats/human.ts";
import { type StudyOverview, studyOverviews } from "../search/overview.ts";
import { resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { openExistingStorage } from "./study_storage.ts";
import { printTable } from "./terminal.ts";

/** Seconds between two looks of `--watch`. */
const WATCH_SECONDS = 5;

export async function status(
  overrides: string[],
  options: CommonOptions & { watch?: boolean; json?: boolean },
  signal: AbortSignal,
): Promise<void> {
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const storage = await openExistingStorage(config.hpo.storage);
  try {
    while (true) {
      const overviews = await studyOverviews(storage);
      if (options.watch && !options.json && Deno.stdout.isTerminal()) console.clear();
      if (options.json) console.log(JSON.stringify(overviews));
      else print(overviews);
      if (!options.watch || signal.aborted) return;
      await pause(WATCH_SECONDS * 1000, signal);
      if (signal.aborted) return;
    }
  } finally {
    await storage.close();
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

function print(overviews: readonly StudyOverview[]): void {
  printTable(
    [
      "study",
      "trials",
      "complete",
      "pruned",
      "failed",
      "running",
      "best",
      "pruned share",
      "out of memory",
      "busy",
      "ETA",
    ],
    overviews.map(({ study_name, n_trials, states, best, ...overview }) => [
      study_name,
      `${states.COMPLETE + states.PRUNED + states.FAIL}${n_trials === null ? "" : `/${n_trials}`}`,
      `${states.COMPLETE}`,
      `${states.PRUNED}`,
      `${states.FAIL}`,
      `${states.RUNNING}`,
      best === null ? "–" : best.value.toFixed(4),
      percent(overview.pruned_share),
      percent(overview.out_of_memory_rate),
      percent(overview.busy_share),
      overview.eta_seconds === null ? "–" : duration(overview.eta_seconds),
    ]),
  );
  for (const { study_name, objective, best } of overviews) {
    if (best === null) continue;
    const params = Object.entries(best.params).map(([name, value]) => `${name}=${paramText(value)}`).join(" ");
    console.log(`${study_name}: Best ${objective} ${best.value.toFixed(4)}, trial ${best.number}: ${params}`);
  }
}
