/** `training.optimization.precision`: what it means on an adapter, and how that is said. */
import type { ModelConfig } from "../models/model_config.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Precision } from "../nn/plan.ts";

/** What can be asked for; `auto` chooses by the adapter. */
export type AskedPrecision = Precision | "auto";

export const choosePrecision = ({ kind }: Pick<Gpu, "kind">, asked: AskedPrecision): Precision =>
  asked !== "auto" ? asked : kind === "software" ? "fp32" : "fp16";

const WEBGPU = { deno: "Deno's own WebGPU", dawn: "Dawn" };

/** What is computed in and why, and by whose WebGPU where that is `auto`. */
export const computingIn = (
  { backend, whyBackend }: Pick<Gpu, "backend" | "whyBackend">,
  precision: Precision,
  why: string,
): string =>
  `computing in ${precision} (${why})${whyBackend === null ? "" : ` by ${WEBGPU[backend.name]} (auto: ${whyBackend})`}`;

/** One line for people: what is computed in, why, and which sizes of the model that leaves in fp32. */
export function describePrecision(
  gpu: Pick<Gpu, "kind" | "backend" | "whyBackend">,
  asked: AskedPrecision,
  model?: Pick<ModelConfig, "hiddenSize" | "intermediateSize">,
): string {
  const precision = choosePrecision(gpu, asked);
  const why = asked !== "auto"
    ? "as asked for"
    : gpu.kind === "software"
    ? "auto: half precision saves memory, not time, on an adapter that runs on the CPU"
    : "auto: half precision saves time and memory on a hardware adapter";
  const sizes = Object.entries({
    hidden_size: model?.hiddenSize ?? 0,
    intermediate_size: model?.intermediateSize ?? 0,
  });
  const odd = sizes.filter(([, size]) => precision !== "fp32" && size % 4 !== 0);
  const rest = odd.map(([name, size]) => `; what has ${name} (${size}, no multiple of 4) for its rows stays in fp32`);
  return computingIn(gpu, precision, why) + rest.join("");
}
