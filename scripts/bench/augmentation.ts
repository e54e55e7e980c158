/**
 * What augmentation replaces, and what it costs: once, and in every epoch beside that epoch's training, in CPU time of
 * this process, on fold 0. Without overrides, of the demo.
 *
 *     deno run -A scripts/bench/augmentation.ts [overrides, e.g. augmentation.model_name=FacebookAI/roberta-base]
 */
import { cpuUsage } from "node:process";
import { composeConfig, type Config } from "../../src/config/config.ts";
import { openGpu } from "../../src/gpu/device.ts";
import { createAugmenter } from "../../src/training/augmentation.ts";
import { createRewriter } from "../../src/training/rewriting.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { openModelSource } from "../../src/training/model_source.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { loadRunData } from "../../src/training/run_data.ts";

const EPOCHS = 5;
const EXAMPLES = 6;

const reporter = { ...silentReporter, warn: console.error };
const compose = (...overrides: string[]): Config => composeConfig([...Deno.args, "mlflow.enable=false", ...overrides]);
const gpu = await openGpu();

/** CPU seconds of all threads, the software adapter's included. */
async function secondsOf<T>(run: () => Promise<T>): Promise<[number, T]> {
  const before = cpuUsage();
  const result = await run();
  const { user, system } = cpuUsage(before);
  return [(user + system) / 1e6, result];
}

/** What an epoch of training and its evaluation takes: what two take more than one, once every kernel is compiled. */
async function epochSeconds(): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "entail-augmentation-" });
  const seconds: number[] = [];
  try {
    for (const epochs of [1, 1, 2]) {
      const config = compose(
        "augmentation.enable=false",
        "training.early_stopping_patience=null",
        `training.num_epochs=${epochs}`,
        `output_dir=${folder}/${seconds.length}`,
      );
      seconds.push((await secondsOf(() => crossValidate(gpu, config, { fold: 0, reporter })))[0]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return seconds[2] - seconds[1];
}

const epochOfTraining = await epochSeconds();
console.log(`training and evaluation: ${epochOfTraining.toFixed(2)} s of CPU time an epoch`);
for (const method of ["synonym", "contextual"]) {
  const config = compose("augmentation.enable=true", `augmentation.method=${method}`);
  const model = await openModelSource(config, { reporter });
  const data = await loadRunData(config, model, reporter);
  const train = data.pairs.flatMap((_, index) => data.folds[index] === 0 ? [] : [index]);
  const augmenter = createAugmenter(reporter);
  const [once, augmentation] = await secondsOf(() => augmenter.prepare(config, { data, gpu }));
  const rewriter = createRewriter();
  const ofEpoch = rewriter.ofFold(train, { config, model, data, augmentation })!;
  await ofEpoch(0);
  const [all, sizes] = await secondsOf(async () => {
    const sizes: number[] = [];
    for (let epoch = 1; epoch <= EPOCHS; epoch++) sizes.push((await ofEpoch(epoch)).size);
    return sizes;
  });
  const { model_name, prob } = config.augmentation;
  const how = method === "contextual" ? `${method} by ${model_name}` : method;
  const [each, share] = [all / EPOCHS, all / EPOCHS / epochOfTraining];
  console.log(`${how}, augmentation.prob=${prob}: ${once.toFixed(1)} s once, ${(1000 * each).toFixed(0)} ms an epoch`);
  console.log(`  ${(100 * share).toFixed(1)} % of its training; changed ${sizes.join(", ")} of ${train.length} pairs`);
  // Of posts with one evidence sentence: what stands around it is as it was.
  const changed = [...augmentation!.postsOf(train, 1)].filter(([index]) =>
    augmentation!.evidence.get(index)!.spans.length === 1
  );
  for (const [index, post] of changed.slice(0, EXAMPLES)) {
    const { post: before, criterionId } = data.pairs[index];
    const [{ start, end }] = augmentation!.evidence.get(index)!.spans;
    console.log(
      `  ${criterionId}: ${before.slice(start, end)}\n    -> ${post.slice(start, end + post.length - before.length)}`,
    );
  }
  rewriter.close();
}
gpu.close();
