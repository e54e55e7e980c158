/** Signs of life of running trials, and what happens to trials whose process has died. */

import type { FrozenTrial } from "./frozen_trial.ts";
import type { Storage, StoredParam } from "./storage.ts";

/** Signs of life of running trials. */
export interface HeartbeatOptions {
  /** Seconds between two signs of life (30). */
  intervalSeconds?: number;
  /** A RUNNING trial whose last sign is older is declared FAIL (120). */
  graceSeconds?: number;
  /** How often the values of a dead trial are queued again, as new trials (0). */
  maxRetries?: number;
}

export const graceSeconds = ({ graceSeconds = 120 }: HeartbeatOptions): number => graceSeconds;

/** How the `fail_reason` of a trial begins whose process has died. */
export const STALE_REASON = "no sign of life";

/** Starts storing signs of life for a trial; the function returned ends that. */
export async function startHeartbeat(
  storage: Storage,
  trialId: number,
  options: HeartbeatOptions,
): Promise<() => void> {
  await storage.recordHeartbeat(trialId);
  const timer = setInterval(() => {
    // A missed beat is made up for by the next one; if none succeeds, others are right to call the trial dead.
    storage.recordHeartbeat(trialId).catch(() => {});
  }, (options.intervalSeconds ?? 30) * 1000);
  return () => clearInterval(timer);
}

/** Declares trials without a recent sign of life FAIL and queues them again as far as `maxRetries` allows. */
export async function failStaleTrials(storage: Storage, studyId: number, options: HeartbeatOptions): Promise<void> {
  const { maxRetries = 0 } = options;
  const grace = graceSeconds(options);
  for (const trialId of await storage.staleTrialIds(studyId, grace)) {
    const reason = `${STALE_REASON} for ${grace} seconds: the process has probably been killed`;
    const failed = await storage.finishTrial(trialId, "FAIL", null, { userAttrs: { fail_reason: reason } });
    if (!failed || maxRetries === 0) continue;
    const trial = (await storage.trials(studyId)).find((candidate) => candidate.trialId === trialId);
    if (trial !== undefined) await retry(storage, studyId, trial, maxRetries);
  }
}

/** Queues a trial's values once more, with Optuna's `failed_trial` and `retry_history` attributes. */
async function retry(storage: Storage, studyId: number, trial: FrozenTrial, maxRetries: number): Promise<void> {
  const history = [...(trial.systemAttrs.retry_history as number[] | undefined ?? []), trial.number];
  if (history.length > maxRetries) return;
  const params: StoredParam[] = Object.entries(trial.distributions).map(([name, distribution]) => {
    return { name, distribution, internal: trial.internalParams[name] };
  });
  const { fail_reason: _, ...userAttrs } = trial.userAttrs;
  const systemAttrs = Object.fromEntries(
    // What the dead trial reached at its rungs does not count for the new one, which starts from the beginning.
    Object.entries(trial.systemAttrs).filter(([key]) => !key.startsWith("completed_rung_")),
  );
  await storage.createTrial(studyId, {
    state: "WAITING",
    params,
    userAttrs,
    systemAttrs: { failed_trial: trial.number, ...systemAttrs, retry_history: history },
  });
}
