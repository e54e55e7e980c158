/**
 * Models of real sizes as a new user meets them, with random weights (published_model.py makes them; they go afterwards):
 *
 *     deno run -A scripts/bench/published.ts --python PYTHON [deberta-v3-base] [bge-reranker-v2-m3] [--work FOLDER]
 *
 * deberta-v3-base: pytorch_model.bin and spm.model behind a local server that speaks the hub's interface. Two steps of
 * training are started by the hub id from an empty cache, then again offline into a second folder, which must give the
 * same bits; then its checkpoint scores pairs, within 1e-4 of transformers' logits.
 * bge-reranker-v2-m3: 568 million parameters in model.safetensors. A few short pairs are scored beside transformers.
 *
 * Prints time and memory: the process's own peak, of which a software adapter's device memory is part, and the device's by
 * plan. Takes 10 GB of disk and 6 GB of memory.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { openGpu } from "../../src/gpu/device.ts";
import { readModelConfig } from "../../src/models/checkpoint.ts";
import { sessionBytes, type SessionOptions } from "../../src/training/session.ts";
import { filesOf, serveHub } from "../../tests/support/hub_server.ts";
import { type Watched, watched } from "./watched.ts";

const PAIRS = [
  ["I have not slept well for three weeks.", "Insomnia or sleeping too much."],
  ["My brother never sleeps. We have two cats and a rabbit.", "Insomnia or sleeping too much."],
  ["Lately I feel sad and miserable and nothing helps.", "Depressed mood most of the day, nearly every day."],
];
const MAX_LENGTH = 64;
const BATCH_SIZE = 4;
/** Logits may differ by so much. */
const TOLERANCE = 1e-4;

const { values: options, positionals } = parseArgs({
  options: { python: { type: "string", default: "python3" }, work: { type: "string" } },
  allowPositionals: true,
});
const work = options.work ?? Deno.makeTempDirSync({ prefix: "entail-published-" });
const table = new Table({ head: ["", "processor s", "s", "peak memory", "device by plan"], style: { head: [] } });

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;

function row(what: string, { cpuSeconds, wallSeconds, peakBytes }: Watched, planned: number): void {
  table.push([what, cpuSeconds.toFixed(1), wallSeconds.toFixed(1), gigabytes(peakBytes), gigabytes(planned)]);
}

async function python(...args: string[]): Promise<string> {
  const script = fileURLToPath(new URL("published_model.py", import.meta.url));
  const { success, stdout, stderr } = await new Deno.Command(options.python, { args: [script, ...args] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Makes a model unless FOLDER has it; returns its folder. */
async function made(repo: string): Promise<string> {
  const folder = join(work, repo);
  if (!await Deno.stat(folder).catch(() => null)) await python("make", repo.split("/")[1], folder);
  return folder;
}

async function planned(
  folder: string,
  longest: number,
  training?: Partial<SessionOptions["training"]>,
): Promise<number> {
  const gpu = await openGpu();
  const config = await readModelConfig(folder, training ? { numLabels: 2 } : {});
  const capacity = { tokens: BATCH_SIZE * longest, sequences: BATCH_SIZE, longest };
  const bytes = await sessionBytes(gpu, config, {
    inference: capacity,
    precision: "fp32",
    ...training ? { training: { capacity, lossKind: "focal", freezeEncoder: false } } : {},
  });
  gpu.close();
  return bytes;
}

/** Scores the pairs with both programs; throws where they disagree. */
async function compare(what: string, folder: string): Promise<void> {
  const input = join(work, "pairs.jsonl");
  const output = join(work, "scores.jsonl");
  Deno.writeTextFileSync(input, PAIRS.map(([post, criterion]) => JSON.stringify({ post, criterion })).join("\n"));
  const taken = await watched(["predict", "--checkpoint", folder, "--input", input, "--output", output]);
  row(what, taken, await planned(folder, MAX_LENGTH));
  const { logits, peak_bytes } = JSON.parse((await python("logits", folder, input)).trim().split("\n").at(-1)!);
  const ours = Deno.readTextFileSync(output).trim().split("\n").flatMap((line) => JSON.parse(line).logits as number[]);
  const off = Math.max(...(logits as number[][]).flat().map((value, at) => Math.abs(value - ours[at])));
  console.log(`${what}: logits ${ours.map((value) => value.toFixed(4)).join(" ")}, off by ${off.toExponential(1)}`);
  console.log(`transformers' own peak memory: ${gigabytes(peak_bytes)}`);
  if (!(off <= TOLERANCE)) throw new Error("the logits differ from transformers'");
}

async function debertaV3Base(repo: string): Promise<void> {
  const folder = await made(repo);
  const server = serveHub(repo, { files: filesOf(folder) });
  const demo = fileURLToPath(new URL("../../data/demo", import.meta.url));
  const env = { HF_HOME: join(work, "cache"), HF_ENDPOINT: server.endpoint };
  const train = (output: string) => [
    ...["train", "--fold", "0", "data=redsm5", `model.model_name=${repo}`, `output_dir=${join(work, output)}`],
    ...[`data.groundtruth_csv=${demo}/groundtruth.csv`, `data.criteria_json=${demo}/criteria.json`],
    ...["data.annotations_csv=null", `data.max_length=${MAX_LENGTH}`, "data.sample_size=16", "kfold.n_splits=2"],
    ...[`training.batch_size=${BATCH_SIZE}`, `training.eval_batch_size=${BATCH_SIZE}`, "training.max_steps=2"],
    ...["mlflow.enable=false"],
  ];
  try {
    const bytes = await planned(folder, MAX_LENGTH, {});
    row(`${repo}: two steps, by hub id`, await watched(train("run"), env), bytes);
    const asked = server.asked().length;
    const offline = await watched(train("offline"), { ...env, HF_HUB_OFFLINE: "1" });
    row(`${repo}: again, offline`, offline, bytes);
    const unasked = server.asked().length === 0 ? "none" : "some";
    console.log(`requests: ${asked} from an empty cache, ${unasked} offline`);
  } finally {
    await server.close();
  }
  const predictions = (run: string) => Deno.readTextFileSync(join(work, run, "fold_0/predictions.csv"));
  if (predictions("run") !== predictions("offline")) throw new Error("offline, the same command gave other numbers");
  await compare(`${repo}: predict`, join(work, "run/checkpoints/fold_0/best"));
}

const MODELS: Record<string, () => Promise<void>> = {
  "deberta-v3-base": () => debertaV3Base("microsoft/deberta-v3-base"),
  "bge-reranker-v2-m3": async () =>
    await compare("BAAI/bge-reranker-v2-m3: predict", await made("BAAI/bge-reranker-v2-m3")),
};

try {
  for (const name of positionals.length > 0 ? positionals : Object.keys(MODELS)) await MODELS[name]();
  console.log(table.toString());
} finally {
  if (options.work === undefined) Deno.removeSync(work, { recursive: true });
}
