/** trainer_state.json: where a fold stands, so that it can go on from `last` with the same bits. */
import { join } from "node:path";
import { saveModel, saveMoments } from "../deberta/checkpoint.ts";
import { EntailError } from "../errors.ts";
import { recoverFolder, replaceFolder } from "../formats/atomic_folder.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { readJson } from "../formats/json.ts";
import type { Metrics } from "./metrics.ts";
import type { Session } from "./session.ts";
import type { StepCounters } from "./step.ts";

export interface TrainerState {
  version: 1;
  counters: StepCounters;
  /** Epochs completed, and optimizer steps taken in the one that is under way. */
  epoch: number;
  stepInEpoch: number;
  /** Evaluations done, and those since the best one. */
  evaluations: number;
  evaluationsSinceBest: number;
  best: { epoch: number; loss: number; metrics: Metrics } | null;
  /** The training is over: all steps are done, or it was stopped early. */
  finished: boolean;
  /** Seconds spent so far, over all sittings. */
  seconds: number;
}

export const STATE_FILE = "trainer_state.json";

export const initialState = (): TrainerState => ({
  version: 1,
  counters: { updates: 0, microBatches: 0 },
  epoch: 0,
  stepInEpoch: 0,
  evaluations: 0,
  evaluationsSinceBest: 0,
  best: null,
  finished: false,
  seconds: 0,
});

/** The state in `<checkpointFolder>/last`, or null where there is none yet. */
export async function readState(checkpointFolder: string): Promise<TrainerState | null> {
  recoverFolder(join(checkpointFolder, "best"));
  recoverFolder(join(checkpointFolder, "last"));
  const file = join(checkpointFolder, "last", STATE_FILE);
  try {
    await Deno.stat(file);
  } catch {
    return null;
  }
  const state = await readJson(file) as TrainerState | null;
  if (state?.version !== 1 || typeof state.counters?.updates !== "number") {
    throw new EntailError("data", `${file}: not a trainer state of this program; start anew without resume`);
  }
  return state;
}

/** Replaces `<checkpointFolder>/last`: the model, its optimizer and the state, all or nothing. */
export async function saveLast(
  session: Session,
  tokenizerFolder: string,
  checkpointFolder: string,
  state: TrainerState,
): Promise<void> {
  await replaceFolder(join(checkpointFolder, "last"), async (folder) => {
    await saveModel(session.parameters, session.config, tokenizerFolder, folder);
    await saveMoments(session.parameters, folder);
    await writeFileAtomic(join(folder, STATE_FILE), JSON.stringify(state, null, 2) + "\n");
  });
}

/** Replaces `<checkpointFolder>/best` by the model as it is now. */
export async function saveBest(session: Session, tokenizerFolder: string, checkpointFolder: string): Promise<void> {
  await replaceFolder(
    join(checkpointFolder, "best"),
    (folder) => saveModel(session.parameters, session.config, tokenizerFolder, folder),
  );
}
