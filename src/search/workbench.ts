/**
 * What the trials of a study share, so that none pays for it again: the device with its compiled kernels, the pairs
 * and their tokens, the session as long as its shape stays the same, the weights that training starts from.
 */
import type { Config } from "../config/config.ts";
import { singleSplit } from "../dataset/folds.ts";
import { withChunking } from "../models/chunking.ts";
import type { ModelConfig } from "../models/model_config.ts";
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { ParameterStore } from "../nn/parameters.ts";
import { createAugmenter } from "../training/augmentation.ts";
import { LOSSES } from "../training/losses.ts";
import { type ModelSource, openModelSource } from "../training/model_source.ts";
import { openFittingSession } from "../training/physical_batch.ts";
import { createRewriter, type RewrittenEpoch } from "../training/rewriting.ts";
import type { Reporter } from "../training/reporter.ts";
import { loadRunData, type RunData } from "../training/run_data.ts";
import type { Session } from "../training/session.ts";
import { loadTeacher, teacherFile } from "../training/teacher.ts";
import { tunerOf } from "../training/tune_session.ts";

/** Everything that one trial trains with. */
export interface Bench {
  readonly session: Session;
  /** Tokens of its micro-batches; null where the configuration says how many pairs they have. */
  readonly tokenBudget: number | null;
  readonly config: Config;
  readonly model: ModelSource;
  readonly data: RunData;
  /** The scores of the teacher that the trial's loss learns from, see teacher.ts; null: it learns from none. */
  readonly teacher: Float64Array | null;
  /** Folds to validate on, in order: all, or the one of a single split. */
  readonly folds: readonly number[];
  /** What the epochs of a fold with these training pairs rewrite; undefined: nothing. */
  rewriteOf(train: readonly number[]): RewrittenEpoch | undefined;
  /** Uploads the parameters that training starts from. */
  initialise(): Promise<void>;
}

export interface Workbench {
  /** The device at hand. */
  readonly gpu: Gpu;
  /**
   * Reads the data that a trial would train on, and its model's description: throws what is wrong with them. So it does for
   * the teachers of the `taught` configurations.
   */
  load(config: Config, taught: readonly Config[]): Promise<void>;
  /** Prepares a trial. Throws an `EntailError` of kind "memory" where its batch does not fit. */
  prepare(config: Config): Promise<Bench>;
  /** After a trial has failed: frees its memory, and opens the device anew if that is `lost` or refuses to work. */
  recover(lost: boolean): Promise<void>;
  close(): void;
}

/** Starting weights up to this size are kept on the host; larger ones are read again for every fold. */
const KEPT_WEIGHTS_BYTES = 256 << 20;

/** Opens the device with `openDevice`, now and whenever it is lost. */
export async function openWorkbench(
  openDevice: () => Promise<Gpu>,
  reporter: Reporter,
  signal?: AbortSignal,
): Promise<Workbench> {
  let gpu = await openDevice();
  let data: { key: string; data: RunData } | undefined;
  let session: { key: string; session: Session; tokenBudget: number | null } | undefined;
  /** By file and by what is read of it, for the pairs at hand. */
  const teachers = new Map<string, Float64Array>();
  let weights: { key: string; values: Weights } | undefined;
  /** Token budgets that were found to fit, by session. */
  const budgets = new Map<string, number | null>();
  const augmenter = createAugmenter(reporter);
  const rewriter = createRewriter();

  const releaseSession = () => {
    session?.session.release();
    session = undefined;
  };

  async function prepareData(config: Config, model: ModelSource): Promise<RunData> {
    const split = splitConfig(config);
    const { data: { pc_topM_enable: _, pc_topM_M: __, ...files }, kfold, seed } = split;
    const key = JSON.stringify([files, kfold, seed, model.tokenizerFolder]);
    if (data?.key !== key) {
      releaseSession();
      teachers.clear();
      data = { key, data: await loadRunData(split, model, reporter) };
    }
    return data.data;
  }

  async function prepareTeacher(config: Config, { pairs }: RunData): Promise<Float64Array | null> {
    const key = JSON.stringify([teacherFile(config), LOSSES[config.model.loss_type].teaching?.reads]);
    const scores = teachers.get(key) ?? await loadTeacher(config, pairs);
    if (scores) teachers.set(key, scores);
    return scores;
  }

  async function prepareSession(config: Config, model: ModelConfig, runData: RunData) {
    const { target_effective_batch_size: target, batch_size, eval_batch_size } = config.training;
    const { loss_type, freeze_backbone } = config.model;
    const { layerwise_lr_decay } = config.training;
    const tuned = tunerOf(config, { reporter, signal });
    // Longer pairs need other memory; the method and the probability of their replacements do not.
    const augmented = runData.evidence !== undefined;
    const key = JSON.stringify([
      data!.key,
      augmented,
      withoutRates(model),
      LOSSES[loss_type].kind,
      layerwise_lr_decay !== 1,
      freeze_backbone,
      config.training.optimization.precision,
      eval_batch_size,
      target,
      target === null ? batch_size : null,
    ]);
    if (session?.key === key) return session;
    releaseSession();
    const known = budgets.get(key);
    budgets.delete(key); // until it has been allocated again
    const opened = await openFittingSession(gpu, config, model, runData, { known, tuned });
    budgets.set(key, opened.tokenBudget);
    return session = { key, ...opened };
  }

  async function initialise(config: Config, model: ModelSource, parameters: ParameterStore): Promise<void> {
    const { model_name, architecture } = config.model;
    // Frozen weights are held as products read them: there is nothing to keep.
    if (model.config.adapter) return await model.initialise(parameters);
    const key = JSON.stringify([model_name, architecture, withoutRates(model.config), config.seed]);
    if (weights?.key === key) return uploadWeights(parameters, weights.values);
    weights = undefined;
    await model.initialise(parameters);
    const bytes = parameters.chunks.reduce((sum, chunk) => sum + chunk.elements * 4, 0);
    if (bytes <= KEPT_WEIGHTS_BYTES) weights = { key, values: await downloadWeights(parameters) };
  }

  return {
    get gpu() {
      return gpu;
    },
    async load(config, taught) {
      const model = await openModelSource(config, { reporter, signal });
      if (model.newHead) reporter.info(model.newHead);
      const loaded = await prepareData(config, model);
      for (const other of taught) await prepareTeacher(other, loaded);
    },
    async prepare(config) {
      const model = await openModelSource(config, { reporter, signal });
      const runData = await prepareData(config, model);
      const parts = { data: runData, gpu, makeRoom: releaseSession, signal };
      const augmentation = await augmenter.prepare(config, parts);
      const planned = { ...runData, evidence: augmentation?.evidence };
      const { session, tokenBudget } = await prepareSession(config, model.config, planned);
      const { mode, validation_fraction } = config.hpo.hpo_mode;
      return {
        session,
        tokenBudget,
        config,
        model,
        data: runData,
        teacher: await prepareTeacher(config, runData),
        folds: mode === "kfold"
          ? Array.from({ length: runData.nSplits }, (_, fold) => fold)
          : [singleSplit(runData.folds, runData.nSplits, validation_fraction)],
        rewriteOf: (train) => rewriter.ofFold(train, { config, model, data: runData, augmentation }),
        initialise: () => initialise(config, model, session.parameters),
      };
    },
    async recover(lost) {
      releaseSession();
      if (!lost && works(gpu)) return;
      gpu.close();
      gpu = await openDevice();
    },
    close() {
      rewriter.close();
      releaseSession();
      gpu.close();
    },
  };
}

function works(gpu: Gpu): boolean {
  try {
    gpu.check();
    return true;
  } catch {
    return false;
  }
}

/**
 * In `single_split`, as many folds as `validation_fraction` asks for; one of them is held out. For 0.2 these are the
 * folds of the five-fold cross-validation, so that results stay comparable.
 */
export function splitConfig(config: Config): Config {
  const { mode, validation_fraction } = config.hpo.hpo_mode;
  if (mode === "kfold") return config;
  if (validation_fraction > 0.5) {
    throw new EntailError("usage", "hpo.hpo_mode.validation_fraction: must be at most 0.5, one fold of two");
  }
  return { ...config, kfold: { ...config.kfold, n_splits: Math.round(1 / validation_fraction) } };
}

/** What the programs and the weights of a model depend on: all but the dropout rates, the threshold and the chunks. */
function withoutRates(model: ModelConfig): ModelConfig {
  const none = { hiddenDropoutProb: 0, attentionProbsDropoutProb: 0, poolerDropout: 0, classifierDropout: 0 };
  const adapter = model.adapter && { ...model.adapter, dropout: 0 };
  return withChunking({ ...model, ...none, adapter, positiveThreshold: 0 }, null);
}

type Weights = ReadonlyMap<string, readonly Float32Array[]>;

async function downloadWeights(parameters: ParameterStore): Promise<Weights> {
  const valuesOf = await parameters.readAll("value");
  return new Map(parameters.specs.map(({ name }) => [name, valuesOf(name).map((shard) => shard.slice())]));
}

function uploadWeights(parameters: ParameterStore, weights: Weights): void {
  for (const [name, shards] of weights) {
    let offset = 0;
    for (const shard of shards) {
      parameters.upload(name, "value", shard, offset);
      offset += shard.length;
    }
  }
}
