/**
 * Everything that is worth knowing of a machine with a GPU, in one call:
 *
 *     deno run -A scripts/bench/gpu.ts [--python PYTHON] [--minutes 9.5] [--output outputs/gpu] [--only TEXT] [--small]
 *
 * Training steps of DeBERTa-v3-base's shape from random weights (24 × 512 tokens and posts' lengths; fp32, fp16, bf16, with
 * tuned kernels; on Deno's own WebGPU and on Dawn, where that is installed), of XLM-R large and of long inputs, with memory
 * and the share of time that the device works; kernels at that model's sizes in each of their variants, compared with
 * float64 before they are timed; `predict`; other runtimes' products; PyTorch beside them, where --python (default:
 * python3) has it; the tests of kernels. Beside a time stands what was predicted, where the card is known
 * (src/bench/forecast/card.ts).
 *
 * The most important comes first, nothing is downloaded but other runtimes (without a network their rows say so), and
 * OUTPUT/gpu.json and gpu.md are written anew after every part. --only takes parts with this text in their name;
 * --small tries everything with tiny sizes, each part without a limit of its own. After --minutes everything is over,
 * whatever is still missing.
 *
 * A GPU that has nothing to do lowers its clock within seconds. Kernels are timed once it is up again; besides, where there
 * is CUDA, this process keeps a context of it open, which keeps the clock up, and the clock is read all along.
 */
import { parseArgs } from "node:util";
import { cardOf } from "../../src/bench/forecast/card.ts";
import { VERSION } from "../../src/version.ts";
import { holdClock, smi, withClock } from "./gpu/clock.ts";
import { mainKernels, otherKernels, peersPart, testsPart } from "./gpu/kernels.ts";
import { scoringPart } from "./gpu/scoring.ts";
import { type Backend, describe, type Setup, sizesOf } from "./gpu/setup.ts";
import { compiledPart, largePart, longParts, postsPart, pytorchPart, stepPart } from "./gpu/steps.ts";
import { markdown, type Part, type Report, runParts } from "./parts.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    python: { type: "string", default: "python3" },
    minutes: { type: "string", default: "9.5" },
    output: { type: "string", default: "outputs/gpu" },
    only: { type: "string", default: "" },
    small: { type: "boolean", default: false },
  },
});

const clockHeld = holdClock();
const found = await Promise.all(
  (["deno", "dawn"] as const).map((name) =>
    describe(name).catch(({ message }: Error) => ({ name, adapter: null, error: message.replace(/^error: /, "") }))
  ),
);
const backends = found.filter((backend): backend is Backend => backend.adapter !== null);
const setup: Setup = {
  ...sizesOf(options.small),
  ...{ small: options.small, python: options.python, backends },
  card: backends.map(({ adapter }) => cardOf(adapter)).find((card) => card !== undefined),
};

/** The most important first. `best` is the backend with tensor cores, if there is one. */
function partsOf([own, ...others]: readonly Backend[]): Part[] {
  const best = others.find(({ matrices }) => matrices) ?? own;
  return [
    stepPart(setup, own, { precision: "fp32" }),
    stepPart(setup, own, { precision: "fp16" }),
    ...others.map((backend) => stepPart(setup, backend, { precision: "fp16" })),
    pytorchPart(setup),
    postsPart(setup, best),
    ...mainKernels(setup, own, ["f32", "f16"]),
    ...others.flatMap((backend) => mainKernels(setup, backend, ["f16"])),
    ...longParts(setup, best),
    scoringPart(setup, best),
    stepPart(setup, best, { precision: "fp16", tuned: true, limitSeconds: 120 }),
    largePart(setup, best),
    compiledPart(setup),
    stepPart(setup, own, { precision: "bf16" }),
    stepPart(setup, own, { precision: "fp32", tuned: true, limitSeconds: 120 }),
    ...otherKernels(setup, own),
    peersPart(setup),
    ...backends.map((backend) => testsPart(setup, backend)),
  ];
}

const machine = {
  date: new Date().toISOString(),
  entail: VERSION,
  deno: Deno.version.deno,
  adapter: { name: backends[0]?.adapter ?? "no adapter" },
  backends: found,
  card: setup.card?.name ?? null,
  nvidia: await smi("name,driver_version,memory.total,clocks.max.sm"),
  clock_held: clockHeld,
};
const title = [
  `${machine.adapter.name}, entail ${VERSION}, Deno ${machine.deno}, ${machine.date}`,
  machine.nvidia,
  clockHeld && "clock held up by an open CUDA context",
  ...found.map((backend) => "error" in backend && backend.error),
].filter((text) => text).join("; ");

await Deno.mkdir(options.output, { recursive: true });
async function write(parts: readonly Report[]): Promise<void> {
  await Deno.writeTextFile(`${options.output}/gpu.json`, `${JSON.stringify({ ...machine, parts }, null, 2)}\n`);
  await Deno.writeTextFile(`${options.output}/gpu.md`, `${title}\n\n${markdown(parts)}`);
  if (parts.length === 0) return;
  const { name, seconds, rows } = parts[parts.length - 1];
  const failures = rows.filter(({ note }) => note?.startsWith("failed")).length;
  console.error(`${name}: ${seconds.toFixed(1)} s${failures ? `, ${failures} failed` : ""}`);
}
await write([]);
const asked = backends.length === 0 ? [] : partsOf(backends).filter(({ name }) => name.includes(options.only));
// Tiny sizes are for adapters on which compiling takes longer than anything else.
const chosen = options.small ? asked.map((part) => ({ ...part, limitSeconds: Infinity })) : asked;
const reports = await runParts(chosen.map(withClock), Number(options.minutes) * 60_000, write);
console.log(`${title}\n\n${markdown(reports)}`);
Deno.exit(backends.length === 0 ? 4 : 0);
