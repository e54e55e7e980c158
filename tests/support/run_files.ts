/** The folder of a run as `train` leaves it, without training: what reports and comparisons read. */
import { join } from "node:path";
import { composeConfig, printConfig } from "../../src/config/config.ts";
import { decide, fitDecision, isChosen } from "../../src/evaluation/decision.ts";
import { Mt19937 } from "../../src/random/mt19937.ts";
import { decisionSettings } from "../../src/training/decisions.ts";
import { writePredictions } from "../../src/training/predictions.ts";
import { writePairLengths } from "../../src/training/pair_lengths.ts";
import { LENGTHS_FILE } from "../../src/training/run_folder.ts";
import { RECORD_FILE } from "../../src/training/run_record.ts";
import { measure } from "../../src/evaluation/metrics.ts";

export interface RunFiles {
  overrides?: readonly string[];
  /** Other fields of run.json. */
  record?: Record<string, unknown>;
  /** Folds with predictions, and those of them that are not finished. */
  folds?: readonly number[];
  unfinished?: readonly number[];
  /** Shifts the scores: another model. */
  shift?: number;
  idOf?: (post: number) => string;
  criteria?: readonly string[];
}

const POSTS = 20;

/** A pair of so many tokens, of which so many more are cut off. */
const encoded = (tokens: number, lost: number) => ({
  chunks: [{ ids: new Uint32Array(tokens), typeIds: new Uint8Array(tokens) }],
  lost,
});

/** Writes a run of three folds, 20 posts each, three epochs of four steps each, of which the first overflowed. */
export async function writeRunFiles(folder: string, files: RunFiles = {}): Promise<void> {
  const { overrides = [], record, folds = [0, 1, 2], unfinished = [], shift = 0 } = files;
  const { idOf = (post) => `p${post}`, criteria = ["A.1", "A.2"] } = files;
  const config = composeConfig([`output_dir=${JSON.stringify(folder)}`, "kfold.n_splits=3", ...overrides]);
  const settings = decisionSettings(config);
  await Deno.mkdir(folder, { recursive: true });
  const write = (name: string, text: string) => Deno.writeTextFile(join(folder, name), text);
  await write("config.yaml", printConfig(config));
  const content = { "data.groundtruth_csv": "a".repeat(64), "data.criteria_json": "b".repeat(64), "folds.csv": "c" };
  const made = {
    version: 1,
    id: "0123456789abcdef",
    settings: { "kfold.n_splits": 3, "training.learning_rate": config.training.learning_rate },
    content,
    token_budget: null,
    truncation: { pairs: 120, truncated: 7, tokens: 1234, evidence: { sentences: 40, cut: 3 } },
    precision: "fp16",
    program: "entail",
    adapter: "a device",
    directory: "/",
    ...record,
  };
  await write(RECORD_FILE, JSON.stringify(made));
  const lengths = Array.from({ length: 3 * POSTS }, (_, i) =>
    criteria.map((criterionId) => {
      return { pair: { postId: idOf(i), criterionId }, tokens: encoded(20 + i, i % 17 === 0 ? i * 2 : 0) };
    })).flat();
  await writePairLengths(
    join(folder, LENGTHS_FILE),
    lengths.map(({ pair }) => pair),
    lengths.map(({ tokens }) => tokens),
  );
  for (const fold of folds) {
    const scored = Array.from({ length: POSTS }, (_, i) =>
      criteria.map((criterionId, at) => {
        const random = new Mt19937((fold * POSTS + i) * criteria.length + at);
        const label = random.interval(3) === 0 ? 1 : 0;
        return {
          postId: idOf(fold * POSTS + i),
          criterionId,
          label,
          score: (random.interval(600) - 300) / 100 + 2 * label - 1 + shift,
        };
      })).flat();
    const decision = fitDecision(scored, settings);
    const predictions = scored.map((pair) => decide(pair, decision));
    const { f1, precision, recall, accuracy, auc } = measure(predictions);
    const log: Record<string, unknown>[] = [];
    for (let step = 1; step <= 12; step++) {
      const skipped = step === 1 ? { skipped: true } : {};
      const loss = step === 1 ? null : 1 / step;
      log.push({ step, epoch: step / 4, loss, learning_rate: 1e-4 * (1 - step / 12), grad_norm: loss, ...skipped });
      if (step % 4 > 0) continue;
      // The second epoch is the best.
      const scale = step === 8 ? 1 : 0.9;
      log.push({
        ...{
          epoch: step / 4,
          eval_loss: 1 / step,
          eval_f1: f1 * scale,
          eval_precision: precision,
          eval_recall: recall,
        },
        ...{ eval_accuracy: accuracy, eval_auc: auc, eval_macro_f1: f1, eval_macro_pr_auc: null, eval_ece: null },
      });
    }
    const own = join(folder, `fold_${fold}`);
    await Deno.mkdir(own);
    await Deno.writeTextFile(join(own, "metrics.jsonl"), log.map((entry) => JSON.stringify(entry) + "\n").join(""));
    await writePredictions(join(own, "predictions.csv"), predictions, { withScores: isChosen(settings) });
    const last = join(folder, "checkpoints", `fold_${fold}`, "last");
    await Deno.mkdir(last, { recursive: true });
    const state = {
      version: 2,
      counters: { updates: 12, microBatches: 12 },
      scaler: { scale: 1024, goodSteps: 11, applied: 11 },
      ...{ epoch: 3, stepInEpoch: 0, evaluations: 3, evaluationsSinceBest: 1, best: null, keptChunks: null },
      finished: !unfinished.includes(fold),
      seconds: 20,
    };
    await Deno.writeTextFile(join(last, "trainer_state.json"), JSON.stringify(state));
  }
}
