/**
 * Time and memory of loading the models of Hugging Face folders onto the device, with a new head where they have none:
 * `deno run -A scripts/bench/checkpoints.ts FOLDER …`. Each is loaded by a process of its own. Memory is what its peak
 * (VmHWM) adds to what it had before, less the parameters themselves where the device's memory is the process's own.
 */
import process from "node:process";
import { openGpu } from "../../src/gpu/device.ts";
import { weightFiles } from "../../src/formats/checkpoint_tensors.ts";
import { elements } from "../../src/gpu/tensor.ts";
import { loadWeights, readModelConfig } from "../../src/models/checkpoint.ts";
import { modelParameters } from "../../src/models/parameters.ts";
import { createParameterStore } from "../../src/nn/parameters.ts";

const memoryOf = (field: "VmRSS" | "VmHWM"): number =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(Deno.readTextFileSync("/proc/self/status"))![1]) / 1024;

async function measure(folder: string): Promise<string> {
  const gpu = await openGpu();
  const config = await readModelConfig(folder, { numLabels: 2 });
  const parameters = await createParameterStore(gpu, modelParameters(config), { moments: false });
  const before = memoryOf("VmRSS");
  const began = performance.now();
  const used = process.cpuUsage();
  await loadWeights(parameters, config, folder, 1);
  gpu.device.queue.submit([]);
  await gpu.device.queue.onSubmittedWorkDone();
  const { user, system } = process.cpuUsage(used);
  const seconds = (performance.now() - began) / 1000;
  const device = gpu.kind === "software" ? parameters.bytes / 2 ** 20 : 0;
  const peak = memoryOf("VmHWM") - before - device;
  const sizes = parameters.specs.map(({ shape }) => elements(shape));
  const files = await weightFiles(folder);
  parameters.release();
  gpu.close();
  const rows = {
    "parameters (million)": sizes.reduce((sum, size) => sum + size) / 1e6,
    "file (MB)": files.reduce((sum, file) => sum + Deno.statSync(file).size, 0) / 1e6,
    seconds,
    "of the processor": (user + system) / 1e6,
    "memory beyond the device's (MiB)": peak,
    "largest tensor in fp32 (MiB)": Math.max(...sizes) * 4 / 2 ** 20,
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
