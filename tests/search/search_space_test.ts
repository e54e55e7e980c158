import assert from "node:assert/strict";
import { composeConfig, type Config } from "../../src/config/config.ts";
import {
  checkFitsTrials,
  checkSearchSpace,
  possibleAugmentations,
  replacedParameters,
  sampleConfig,
  withParams,
} from "../../src/search/search_space.ts";
import type { Suggestions } from "../../src/search/sampling.ts";
import type { ParamValue } from "../../src/studies/distributions.ts";
import { RandomSampler } from "../../src/studies/random_sampler.ts";
import { createStudy } from "../../src/studies/study.ts";
import { createAugmenter } from "../../src/training/augmentation.ts";
import type { FoldSettings } from "../../src/training/fold.ts";
import { openModelSource } from "../../src/training/model_source.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { foldSettings } from "../../src/training/run.ts";
import { createRewriter } from "../../src/training/rewriting.ts";
import { loadRunData } from "../../src/training/run_data.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder, runConfig, TEXT_MODEL, writeAnnotations } from "../support/run_data.ts";

const DEMO_MASKED_LM = decodeURIComponent(new URL("../../data/demo/masked_lm", import.meta.url).pathname);

/** A trial that proposes the given values and notes in which order it is asked. */
function proposing(values: Record<string, ParamValue>): Suggestions & { asked: string[] } {
  const asked: string[] = [];
  const propose = (name: string) => {
    asked.push(name);
    return values[name];
  };
  return {
    asked,
    suggestFloat: (name) => propose(name) as number,
    suggestInt: (name) => propose(name) as number,
    suggestCategorical: <T extends ParamValue>(name: string) => propose(name) as T,
  };
}

const NINE: Record<string, ParamValue> = {
  learning_rate: 3.25e-6,
  target_effective_batch_size: 64,
  scheduler_type: "cosine_with_restarts",
  weight_decay: 0.0625,
  warmup_ratio: 0.1875,
  classifier_dropout: 0.4375,
  hidden_dropout: 0.21875,
  attention_dropout: 0.28125,
  focal_gamma: 3,
};

async function settingsOf(config: Config): Promise<FoldSettings> {
  const model = await openModelSource(config);
  return foldSettings(config, model.config, [0, 1, 1]);
}

Deno.test("sampleConfig: each of the nine parameters of hpo/optuna.yaml reaches the model, the loss or the loop", async () => {
  const base = composeConfig([
    `model.model_name=${TEXT_MODEL}`,
    "model.loss_type=focal",
    "training.batch_size=5",
    "model.focal_gamma=0.5",
  ]);
  const trial = proposing(NINE);
  const settings = await settingsOf(sampleConfig(trial, base));
  assert.deepEqual(trial.asked, Object.keys(NINE));
  const reached = (s: FoldSettings): Record<string, unknown> => ({
    learning_rate: s.learningRate,
    target_effective_batch_size: s.batchSize * s.accumulation,
    scheduler_type: s.scheduler,
    weight_decay: s.step.weightDecay,
    warmup_ratio: s.warmupRatio,
    classifier_dropout: s.step.dropout.classifier,
    hidden_dropout: s.step.dropout.hidden,
    attention_dropout: s.step.dropout.attention,
    focal_gamma: s.step.loss.gamma,
  });
  assert.deepEqual(reached(settings), NINE);
  assert.deepEqual([settings.batchSize, settings.accumulation], [64, 1]);
  // None of the values was there before.
  const before = reached(await settingsOf(base));
  for (const [name, value] of Object.entries(NINE)) assert.notEqual(before[name], value, name);
});

gpuTest(
  "sampleConfig: the augmentation of hpo/optuna_aug.yaml reaches the pairs of an epoch, where there is one",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      const annotations = writeAnnotations(folder).filter((override) => !override.startsWith("augmentation."));
      const base = runConfig(
        folder,
        "hpo=optuna_aug",
        "model.loss_type=focal",
        ...annotations,
        `augmentation.model_name=${DEMO_MASKED_LM}`,
      );
      const model = await openModelSource(base);
      const data = await loadRunData(base, model, silentReporter);
      const augmenter = createAugmenter(silentReporter);
      const rewriter = createRewriter();
      /** Pairs that the first epochs of a trial with these values change, as token ids by epoch and index. */
      const changed = async (values: Record<string, ParamValue>): Promise<string[][] | null> => {
        const trial = proposing({ ...NINE, ...values });
        const config = sampleConfig(trial, base);
        assert.deepEqual(trial.asked.filter((name) => name.startsWith("aug_")), Object.keys(values));
        const augmentation = await augmenter.prepare(config, { data, gpu });
        if (augmentation === null) return null;
        const ofEpoch = rewriter.ofFold(data.pairs.map((_, index) => index), { config, model, data, augmentation })!;
        return await Promise.all([0, 1, 2, 3].map(async (epoch) => {
          return [...await ofEpoch(epoch)].map(([index, { chunks: [{ ids }] }]) => `${index}: ${ids}`);
        }));
      };
      const count = (epochs: string[][] | null) => epochs!.flat().length;
      try {
        assert.equal(await changed({ aug_enable: false }), null);
        const rarely = await changed({ aug_enable: true, aug_prob: 0.125, aug_method: "synonym" });
        const often = await changed({ aug_enable: true, aug_prob: 0.5, aug_method: "synonym" });
        assert.ok(count(rarely) > 0 && count(often) > 2 * count(rarely), `${count(rarely)}, ${count(often)}`);
        const other = await changed({ aug_enable: true, aug_prob: 0.5, aug_method: "contextual" });
        assert.ok(count(other) > 0);
        assert.notDeepEqual(other, often);
      } finally {
        rewriter.close();
      }
    });
  },
);

Deno.test("sampleConfig: a conditional parameter exists only where its condition holds, whatever the order of the file", () => {
  const base = composeConfig([
    "hpo.search_space.learning_rate.when={scheduler_type: cosine}",
    "hpo.search_space.weight_decay.when={warmup_ratio: 0.5}",
    "hpo.search_space.warmup_ratio.when={scheduler_type: linear}",
    "training.learning_rate=0.5",
  ]);
  const cosine = proposing({ ...NINE, scheduler_type: "cosine" });
  assert.equal(sampleConfig(cosine, base).training.learning_rate, NINE.learning_rate);
  assert.deepEqual(cosine.asked.slice(0, 2), ["scheduler_type", "learning_rate"]);
  // The condition of weight_decay names a parameter that is itself absent.
  assert.ok(!cosine.asked.includes("warmup_ratio") && !cosine.asked.includes("weight_decay"));
  const linear = proposing({ ...NINE, scheduler_type: "linear", warmup_ratio: 0.5 });
  const config = sampleConfig(linear, base);
  assert.equal(config.training.learning_rate, 0.5);
  assert.ok(!linear.asked.includes("learning_rate"));
  assert.equal(config.training.weight_decay, NINE.weight_decay);
});

Deno.test("replacedParameters: two parameters of one key, unless their conditions exclude each other", () => {
  const base = ["data=demo", "+hpo.search_space.rate={key: training.learning_rate, type: float, low: 0.1, high: 0.2}"];
  const both = composeConfig(base);
  assert.deepEqual(replacedParameters(both), [
    "hpo.search_space.learning_rate: has no effect where rate is sampled, which sets training.learning_rate too; remove " +
    "one, for example with ~hpo.search_space.learning_rate",
  ]);
  // The order of the space decides, not that of the values.
  assert.equal(withParams(both, { rate: 0.15, learning_rate: 1e-6 }).training.learning_rate, 0.15);
  const conditions = [
    "hpo.search_space.learning_rate.when={scheduler_type: linear}",
    "hpo.search_space.rate.when={scheduler_type: cosine}",
  ];
  assert.deepEqual(replacedParameters(composeConfig([...base, ...conditions])), []);
  assert.deepEqual(replacedParameters(composeConfig(["data=demo", "hpo=optuna_aug"])), []);
});

Deno.test("withParams: a value without a parameter is refused by name", () => {
  assert.throws(() => withParams(composeConfig([]), { lr: 1 }), { kind: "usage", message: /search_space\.lr/ });
});

Deno.test("checkSearchSpace: choices that cannot be trained are refused at once, with a way out that works", () => {
  checkSearchSpace(composeConfig([]));
  const config = composeConfig(["hpo=optuna_aug", "augmentation.model_name=null"]);
  let remedy = "";
  assert.throws(() => checkSearchSpace(config), (error: Error) => {
    assert.match(error.message, /^hpo\.search_space\.aug_method: augmentation\.model_name: is null/);
    remedy = error.message.split("use ")[1];
    return true;
  });
  checkSearchSpace(composeConfig(["hpo=optuna_aug", "augmentation.model_name=null", remedy]));
});

Deno.test("checkSearchSpace: values that do not go together are refused, and those that do are set together", () => {
  const chunks = (length: string, stride: string) =>
    composeConfig([
      `+hpo.search_space.length={key: data.chunk_max_len, type: categorical, choices: ${length}}`,
      `+hpo.search_space.stride={key: data.chunk_stride, ${stride}}`,
    ]);
  const message =
    /^hpo\.search_space\.stride: "data\.chunk_stride" must be less than data\.chunk_max_len=64, not 64; use /;
  const refuse = (stride: string, remedy: string) =>
    assert.throws(() => checkSearchSpace(chunks("[128, 64]", stride)), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(error.message.endsWith(`use ${remedy}`), error.message);
      return true;
    });
  refuse("type: categorical, choices: [8, 64]", "hpo.search_space.stride.choices=[8]");
  refuse("type: int, low: 8, high: 64", "another range, or ~hpo.search_space.stride");
  // The configuration's own stride, 128, is in no trial.
  const config = chunks("[128, 64]", "type: int, low: 8, high: 63");
  checkSearchSpace(config);
  const { data } = withParams(config, { length: 64, stride: 63 });
  assert.deepEqual([data.chunk_max_len, data.chunk_stride], [64, 63]);
});

Deno.test("checkSearchSpace: a study that may augment by context needs a language model, and annotations", () => {
  const without = ["hpo=optuna_aug", "augmentation.model_name=null"];
  assert.deepEqual(possibleAugmentations(composeConfig([])), []);
  const methods = possibleAugmentations(composeConfig(without)).map(({ augmentation }) => augmentation);
  assert.deepEqual(methods.map(({ enable, method }) => [enable, method]), [[true, "synonym"], [true, "contextual"]]);
  const refusal = (...overrides: string[]) => {
    try {
      checkSearchSpace(composeConfig([...without, ...overrides]));
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.match(refusal()!, /^hpo\.search_space\.aug_method: augmentation\.model_name: is null/);
  assert.equal(refusal(refusal()!.split("use ")[1]), null);
  assert.equal(refusal("augmentation.model_name=folder"), null);
  const annotations = refusal("augmentation.model_name=folder", "data.annotations_csv=null")!;
  assert.match(annotations, /^hpo\.search_space\.aug_enable: data\.annotations_csv: is null/);
});

Deno.test("checkSearchSpace: refuses an empty space", () => {
  const config = composeConfig(["~hpo.search_space"]);
  assert.throws(() => checkSearchSpace(config), /^EntailError: hpo\.search_space: is empty/);
});

Deno.test("checkFitsTrials: a study's parameters keep their kind, scale and choices; ranges may change", async () => {
  const focal = (...overrides: string[]) => composeConfig(["model.loss_type=focal", ...overrides]);
  const config = focal();
  const study = await createStudy({ sampler: new RandomSampler({ seed: 1 }) });
  checkFitsTrials(config, study.trials);
  await study.optimize((trial) => sampleConfig(trial, config).training.learning_rate, { nTrials: 1 });
  const space = "hpo.search_space";
  checkFitsTrials(focal(`${space}.learning_rate.low=1e-7`, `${space}.weight_decay.step=0.01`), study.trials);
  checkFitsTrials(focal(`~${space}.weight_decay`), study.trials);
  for (
    const [change, message] of [
      [`${space}.learning_rate.log=false`, /learning_rate cannot change between log and linear/],
      [`${space}.focal_gamma.choices=[1,2]`, /choices of parameter focal_gamma cannot change/],
      [`${space}.focal_gamma={type: float, low: 1, high: 2, choices: null}`, /focal_gamma was categorical/],
    ] as const
  ) {
    assert.throws(() => checkFitsTrials(focal(change), study.trials), { kind: "usage", message });
  }
});
