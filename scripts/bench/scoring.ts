/**
 * What `predict` does with 9,815 pairs of the lengths of MNLI's (matched validation), and how busy it keeps the device:
 *
 *     deno run -A scripts/bench/scoring.ts [--model FOLDER | --base] [--pairs N] [--backend deno|dawn] [--precision P]
 *         [--python PYTHON] [--json]
 *
 * The model is the demo's, or with --base one of DeBERTa-v3-base's shape with random weights. Beside the whole, each thing
 * that the host does is timed alone; with --python, which names an interpreter with torch and transformers, those score
 * the same pairs in the same run, and logits are compared.
 */
import { join } from "node:path";
import { cpuUsage } from "node:process";
import { parseArgs } from "node:util";
import { createStopwatch } from "../../src/bench/stopwatch.ts";
import { scoreRecords } from "../../src/cli/predict.ts";
import { type EncodedPair, packBatch } from "../../src/dataset/batches.ts";
import { openTextPairs, type TextRecord } from "../../src/dataset/text_pairs.ts";
import { writePiecesAtomic } from "../../src/formats/atomic_write.ts";
import { openGpu } from "../../src/gpu/device.ts";
import { initialiseWeights, saveModel } from "../../src/models/checkpoint.ts";
import { configFromArchitecture } from "../../src/models/config_json.ts";
import { modelParameters } from "../../src/models/parameters.ts";
import { createParameterStore } from "../../src/nn/parameters.ts";
import { table } from "../../src/report/markdown.ts";
import type { AskedPrecision } from "../../src/training/precision.ts";
import { tokenizeFor } from "../../src/training/run_data.ts";
import { openScorer } from "../../src/training/scorer.ts";
import { createRandom } from "../demo/random.ts";
import { DEBERTA_V3_BASE } from "./architectures.ts";
import { lastWords } from "./last_words.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    model: { type: "string", default: new URL("../../data/demo/model", import.meta.url).pathname },
    base: { type: "boolean", default: false },
    pairs: { type: "string", default: "9815" },
    backend: { type: "string", default: "deno" },
    precision: { type: "string", default: "auto" },
    python: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const BATCH = 64;
const MAX_LENGTH = 256;

/** Words of a premise and of a hypothesis: medians, spread of the logarithm, the most; MNLI has 20 and 10 on average. */
const WORDS = { post: [16, 0.75, 180], criterion: [9.5, 0.4, 40] } as const;

/** Pairs of the demo's words in lengths like those. */
function writePairs(file: string, count: number): void {
  const random = createRandom(1);
  const text = Deno.readTextFileSync(new URL("../../data/demo/posts.csv", import.meta.url));
  const words = [...new Set(text.match(/[a-z']+/g))];
  const normal = () => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  const sentence = ([median, spread, most]: readonly [number, number, number]) => {
    const length = Math.max(1, Math.min(most, Math.round(median * Math.exp(spread * normal()))));
    return Array.from({ length }, () => random.pick(words)).join(" ");
  };
  const line = () => JSON.stringify({ post: sentence(WORDS.post), criterion: sentence(WORDS.criterion) });
  Deno.writeTextFileSync(file, Array.from({ length: count }, () => `${line()}\n`).join(""));
}

/** A checkpoint of DeBERTa-v3-base's shape, of random weights, with the demo's tokenizer. */
async function writeBase(folder: string): Promise<string> {
  const config = configFromArchitecture(DEBERTA_V3_BASE, { numLabels: 2, classifierHead: "pooler_linear" });
  const parameters = await createParameterStore(stopwatch.gpu, modelParameters(config), { moments: false });
  initialiseWeights(parameters, config, 1);
  await Deno.mkdir(folder);
  await saveModel(parameters, config, options.model, folder);
  parameters.release();
  return folder;
}

interface Took {
  seconds: number;
  cpuSeconds: number;
}

async function timed<T>(work: () => Promise<T>): Promise<Took & { result: T }> {
  const [began, used] = [performance.now(), cpuUsage()];
  const result = await work();
  const { user, system } = cpuUsage(used);
  return { seconds: (performance.now() - began) / 1000, cpuSeconds: (user + system) / 1e6, result };
}

const work = await Deno.makeTempDir({ prefix: "entail-scoring-" });
const [input, output] = [join(work, "pairs.jsonl"), join(work, "scored.jsonl")];
const gpu = await openGpu({ backend: options.backend === "dawn" ? "dawn" : "deno" });
const stopwatch = createStopwatch(gpu);
try {
  writePairs(input, Number(options.pairs));
  const checkpoint = options.base ? await writeBase(join(work, "base")) : options.model;
  const scorer = await openScorer(stopwatch.gpu, checkpoint, {
    ...{ batchSize: BATCH, maxLength: MAX_LENGTH, chunkMaxLength: null },
    precision: options.precision as AskedPrecision,
  });
  const predict = async () => {
    const records = await openTextPairs(input);
    const scored = scoreRecords(records, scorer, { onProgress() {}, onEnd() {} });
    await writePiecesAtomic(output, scored);
  };
  await predict(); // compiles and loads
  const whole = await timed(() => stopwatch.busy(predict));
  const scores = (await Deno.readTextFile(output)).trimEnd().split("\n").map((line) => JSON.parse(line));

  const reading = await timed(async () => {
    const read: TextRecord[] = [];
    for await (const record of (await openTextPairs(input)).records) read.push(record);
    return read;
  });
  const tokenizing = await timed(() => tokenizeFor(scorer, reading.result, { maxLength: MAX_LENGTH }));
  const sequences = tokenizing.result.flatMap(({ chunks }: EncodedPair) => chunks);
  const tokens = sequences.reduce((sum, { ids }) => sum + ids.length, 0);
  const packing = await timed(async () => {
    for (let begin = 0; begin < sequences.length; begin += BATCH) {
      const members = sequences.slice(begin, begin + BATCH);
      packBatch(members, members.map((_, i) => i));
    }
    await Promise.resolve();
  });
  const writing = await timed(() =>
    writePiecesAtomic(
      output,
      (async function* () {
        for (const [i, record] of reading.result.entries()) yield await Promise.resolve(record.withScore(scores[i]));
      })(),
    )
  );

  const beside = options.python === undefined ? undefined : await besides(options.python, checkpoint, scores);
  const result = {
    ...{ adapter: gpu.name, precision: scorer.precision, pairs: scores.length, tokens },
    ...{ seconds: whole.seconds, cpu_seconds: whole.cpuSeconds, busy: whole.result },
    alone: Object.fromEntries(
      Object.entries({ reading, tokenizing, packing, writing }).map(([name, { seconds }]) => [name, seconds]),
    ),
    beside,
  };
  scorer.release();
  if (options.json) console.log(JSON.stringify(result, null, 2));
  else print(result);
} finally {
  await Deno.remove(work, { recursive: true });
}
Deno.exit();

type Beside = Took & { name: string; largestDifference: number };

/** The same by transformers, or why not. */
async function besides(
  python: string,
  model: string,
  ours: readonly { logits: number[] }[],
): Promise<Beside | { failed: string }> {
  const script = new URL("scoring_pytorch.py", import.meta.url).pathname;
  const child = new Deno.Command(python, { args: [script], stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const job = { model, input, batch_size: BATCH, max_length: MAX_LENGTH };
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(job)));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) return { failed: lastWords(new TextDecoder().decode(stderr)) };
  const { name, seconds, cpu_seconds: cpuSeconds, logits } = JSON.parse(new TextDecoder().decode(stdout));
  const differences = ours.flatMap((score, i) => score.logits.map((logit, k) => Math.abs(logit - logits[i][k])));
  return { name, seconds, cpuSeconds, largestDifference: differences.reduce((most, one) => Math.max(most, one)) };
}

function print({ adapter, precision, pairs, tokens, seconds, cpu_seconds, busy, alone, beside }: {
  adapter: string;
  precision: string;
  pairs: number;
  tokens: number;
  seconds: number;
  cpu_seconds: number;
  busy: number | null;
  alone: Record<string, number>;
  beside?: Beside | { failed: string };
}): void {
  const share = busy === null ? "" : `, device busy ${(100 * busy).toFixed(1)} %`;
  console.log(`${pairs} pairs, ${tokens} tokens, ${precision}, ${adapter}${share}\n`);
  const row = (name: string, time: number, cpu?: number) => [
    name,
    time.toFixed(2),
    cpu === undefined ? "" : cpu.toFixed(2),
    (pairs / time).toFixed(0),
  ];
  console.log(table(["", "s", "processor, s", "pairs/s"], [
    row("predict", seconds, cpu_seconds),
    ...Object.entries(alone).map(([name, time]) => row(`${name} alone`, time)),
    ...beside && "name" in beside ? [row(beside.name, beside.seconds, beside.cpuSeconds)] : [],
  ]));
  if (beside) {
    console.log("name" in beside ? `\nlogits within ${beside.largestDifference.toPrecision(2)}` : beside.failed);
  }
}
