/**
 * CPU time of one DeBERTa-v3-base layer, forward and backward, on an adapter that runs on the CPU: what a step of three
 * layers takes beyond a step of one, halved. With other checkouts of this repository (as old as 582eef9), the same of
 * theirs, taking turns in this process:
 *
 *     git worktree add --detach /tmp/before 582eef9
 *     deno run -A scripts/bench/layer.ts [--rounds N] [--sequences N] [--tokens N] [/tmp/before …]
 */
import { resolve } from "node:path";
import { cpuUsage } from "node:process";
import { parseArgs } from "node:util";
import { median } from "../../src/tuning/median.ts";

const { values: options, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    sequences: { type: "string", default: "4" },
    tokens: { type: "string", default: "128" },
  },
});
const [sequences, longest] = [Number(options.sequences), Number(options.tokens)];

const BASE = {
  model_type: "deberta-v2",
  vocab_size: 1000,
  hidden_size: 768,
  num_attention_heads: 12,
  intermediate_size: 3072,
  max_position_embeddings: 512,
  type_vocab_size: 0,
  relative_attention: true,
  position_buckets: 256,
  norm_rel_ebd: "layer_norm",
  share_att_key: true,
  pos_att_type: ["p2c", "c2p"],
  position_biased_input: false,
};
const LAYERS = [1, 3];

/** A step of a checkout's model of so many layers, with its own modules. Resolves when the device has taken it. */
async function openStep(root: string, layers: number): Promise<() => Promise<void>> {
  const own = (path: string) => import(new URL(`src/${path}`, `file://${resolve(root)}/`).href);
  const models = await own("models/checkpoint.ts").then(() => "models", () => "deberta");
  const { openGpu } = await own("gpu/device.ts");
  const { openSession } = await own("training/session.ts");
  const { packBatch } = await own("dataset/batches.ts");
  const { initialiseWeights } = await own(`${models}/checkpoint.ts`);
  const { parseConfig } = await own(models === "models" ? "models/config_json.ts" : "deberta/config.ts");
  const config = parseConfig({ ...BASE, num_hidden_layers: layers }, "DeBERTa-v3-base");
  const capacity = { tokens: sequences * longest, sequences, longest };
  const session = await openSession(await openGpu(), config, {
    inference: { tokens: longest, sequences: 1, longest },
    training: { capacity, lossKind: "focal", freezeEncoder: false },
  });
  initialiseWeights(session.parameters, config, 1);
  const pairs = Array.from({ length: sequences }, (_, i) => ({
    ids: Uint32Array.from({ length: longest }, (_, j) => (i * longest + j) * 7 % config.vocabSize),
    typeIds: new Uint8Array(longest),
  }));
  const batch = packBatch(pairs, pairs.map((_, i) => i));
  const labels = Uint32Array.from(pairs, (_, i) => i % 2);
  session.step.start({
    seed: 1,
    dropout: { hidden: 0.1, attention: 0.1, pooler: 0, classifier: 0.1 },
    loss: { gamma: 2, alphaPositive: 0.5, positiveWeight: 1, negativeWeight: 1, labelSmoothing: 0 },
    weightDecay: 0.01,
    layerDecay: 1,
    maxGradNorm: 1,
  });
  return async () => {
    session.step.step([{ batch, labels }], 1e-5);
    await session.step.readRecords();
  };
}

async function cpuSecondsOf(run: () => Promise<void>): Promise<number> {
  const before = cpuUsage();
  await run();
  const { user, system } = cpuUsage(before);
  return (user + system) / 1e6;
}

const contestants = [];
for (const root of [new URL("../../", import.meta.url).pathname, ...positionals]) {
  const steps = [];
  for (const layers of LAYERS) steps.push(await openStep(root, layers));
  for (const step of steps) await step(); // compiles
  contestants.push({ root, steps, seconds: [] as number[] });
}
for (let round = 0; round < Number(options.rounds); round++) {
  for (const { steps, seconds } of contestants) {
    const [few, many] = [await cpuSecondsOf(steps[0]), await cpuSecondsOf(steps[1])];
    seconds.push((many - few) / (LAYERS[1] - LAYERS[0]));
  }
}
const [ours] = contestants.map(({ seconds }) => median(seconds));
for (const { root, seconds } of contestants) {
  const each = seconds.map((time) => time.toFixed(2)).join(" ");
  console.log(
    `${root}: ${median(seconds).toFixed(2)} s of CPU (${each}), ${(median(seconds) / ours).toFixed(2)} × ours`,
  );
}
Deno.exit();
