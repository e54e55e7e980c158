/**
 * Time and memory of reading the weights of Hugging Face folders, all of them, piece by piece as a model is loaded, and of
 * nothing else: `deno run -A scripts/bench/checkpoints.ts FOLDER …`. Each folder is read by a process of its own; memory
 * is what its peak (VmHWM) adds to what it had before.
 */
import { openCheckpointTensors, weightFiles } from "../../src/formats/checkpoint_tensors.ts";
import { elementCount } from "../../src/formats/safetensors_header.ts";

/** Elements read at a time, as src/models/checkpoint.ts has it. */
const PIECE = 1 << 22;

const memoryOf = (field: "VmRSS" | "VmHWM"): number =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(Deno.readTextFileSync("/proc/self/status"))![1]) / 1024;

async function measure(folder: string): Promise<string> {
  const before = memoryOf("VmRSS");
  const began = performance.now();
  const source = await openCheckpointTensors(folder);
  let largest = 0;
  let elements = 0;
  for (const [name, { shape, dtype }] of source.tensors) {
    if (dtype.startsWith("I")) continue;
    const total = elementCount(shape);
    for (let offsetElements = 0; offsetElements < total; offsetElements += PIECE) {
      await source.readTensor(name, { offsetElements, countElements: Math.min(PIECE, total - offsetElements) });
    }
    largest = Math.max(largest, total * 4);
    elements += total;
  }
  source.close();
  const seconds = (performance.now() - began) / 1000;
  const bytes = (await weightFiles(folder)).reduce((sum, file) => sum + Deno.statSync(file).size, 0);
  const rows = {
    "parameters (million)": elements / 1e6,
    "file (MB)": bytes / 1e6,
    seconds,
    "peak memory (MiB)": memoryOf("VmHWM") - before,
    "largest tensor in fp32 (MiB)": largest / 2 ** 20,
  };
  return Object.entries(rows).map(([name, value]) => `${name}: ${value.toFixed(1)}`).join(", ");
}

const [first, ...others] = Deno.args;
if (others.length === 0) console.log(`${first}: ${await measure(first)}`);
else {
  for (const folder of Deno.args) {
    const args = ["run", "-A", "--quiet", import.meta.filename!, folder];
    await new Deno.Command(Deno.execPath(), { args, stdout: "inherit", stderr: "inherit" }).spawn().status;
  }
}
