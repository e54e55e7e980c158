/** `info`: the adapter, its features and limits, the variants of kernels, and those that a model would get. */
import type { Config } from "../config/config.ts";
import type { Gpu } from "../gpu/device.ts";
import { elements, mebibytes } from "../gpu/tensor.ts";
import { modelParameters } from "../models/parameters.ts";
import { OPERATIONS } from "../nn/operations.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import type { Choice } from "../nn/plan.ts";
import { pairLimits } from "../training/chunking.ts";
import { LOSSES } from "../training/losses.ts";
import { openModelSource } from "../training/model_source.ts";
import { type AskedPrecision, choosePrecision, describePrecision } from "../training/precision.ts";
import { sessionChoices } from "../training/session.ts";
import { openConfiguredGpu, resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { printTable } from "./terminal.ts";

export async function info(overrides: string[], options: CommonOptions & { json?: boolean }): Promise<void> {
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const gpu = await openConfiguredGpu(config);
  try {
    const plans = asksForModel(overrides) ? await plansFor(gpu, config) : undefined;
    const { precision } = config.training.optimization;
    if (options.json) console.log(JSON.stringify(described(gpu, precision, plans), null, 2));
    else print(gpu, precision, plans);
  } finally {
    gpu.close();
  }
}

const asksForModel = (overrides: readonly string[]): boolean =>
  overrides.some((override) => /^[+~]*(model|training|data)\b/.test(override));

interface Plans {
  /** Elements of all parameters, and of those that training changes. */
  parameters: { all: number; trained: number };
  choices: readonly Choice[];
}

const countElements = (specs: readonly ParameterSpec[]): number =>
  specs.reduce((sum, { shape }) => sum + elements(shape), 0);

/** What a step of full batches and the scoring of as many would use. */
async function plansFor(gpu: Gpu, config: Config): Promise<Plans> {
  const { training, data, model: { loss_type, freeze_backbone } } = config;
  const { maxLength } = pairLimits(data);
  const capacity = (sequences: number) => ({ tokens: sequences * maxLength, sequences, longest: maxLength });
  const { config: model } = await openModelSource(config);
  const specs = modelParameters(model, { freezeBackbone: freeze_backbone });
  const trained = specs.filter(({ trainable }) => trainable);
  const choices = await sessionChoices(gpu, model, {
    inference: capacity(training.eval_batch_size),
    training: {
      capacity: capacity(training.batch_size),
      lossKind: LOSSES[loss_type].kind,
      freezeEncoder: freeze_backbone,
      recompute: training.recompute === true,
    },
    precision: choosePrecision(gpu, training.optimization.precision),
  });
  return { parameters: { all: countElements(specs), trained: countElements(trained) }, choices };
}

const countText = ({ all, trained }: Plans["parameters"]): string =>
  `${all.toLocaleString("en")}, of which ${trained.toLocaleString("en")} are trained`;

/** Names by operation, those for adapters of this kind, the best guess first. */
const tables = (gpu: Gpu): Record<string, string[]> =>
  Object.fromEntries(
    OPERATIONS.map(({ name, variants }) => [
      name,
      variants.filter(({ adapters }) => adapters.includes(gpu.kind)).map((variant) => variant.name),
    ]),
  );

function described(gpu: Gpu, asked: AskedPrecision, plans: Plans | undefined) {
  const { name, vendor, kind, whyBackend, can, features, hasTimestamps } = gpu;
  const { maxBindingBytes, maxBufferBytes, maxWorkgroupBytes } = gpu;
  const limits = { maxBindingBytes, maxBufferBytes, maxWorkgroupBytes };
  const backend = { backend: gpu.backend.name, whyBackend: whyBackend ?? undefined };
  const adapter = { name, vendor, kind, ...backend, can, features, timestamps: hasTimestamps, limits };
  return {
    adapter,
    deno: Deno.version.deno,
    precision: choosePrecision(gpu, asked),
    asked,
    kernels: tables(gpu),
    parameters: plans?.parameters,
    choices: plans?.choices.map(({ append: _, ...choice }) => choice),
  };
}

function print(gpu: Gpu, asked: AskedPrecision, plans: Plans | undefined): void {
  printTable(["property", "value"], [
    ["adapter", gpu.name],
    ["backend", gpu.backend.name + (gpu.whyBackend === null ? "" : ` (auto: ${gpu.whyBackend})`)],
    ["kind", gpu.kind === "software" ? "software (runs on the CPU)" : "hardware"],
    ["Deno", Deno.version.deno],
    [
      "kernels may use",
      Object.entries(gpu.can).filter(([, can]) => can).map(([what]) => what).join(", ") || "the core",
    ],
    ["precision", describePrecision(gpu, asked)],
    ["timestamps", gpu.hasTimestamps ? "yes" : "no"],
    ["one binding", mebibytes(gpu.maxBindingBytes)],
    ["one buffer", mebibytes(gpu.maxBufferBytes)],
    ["workgroup memory", `${gpu.maxWorkgroupBytes} bytes`],
    ["features", gpu.features.join(" ")],
    ...Object.entries(tables(gpu)).map(([operation, names]) => [`${operation} variants`, names.join(", ")]),
    ...(plans ? [["parameters", countText(plans.parameters)]] : []),
  ]);
  if (!plans) return;
  printTable(
    ["operation", "shape", "calls", "variant", "why", "others"],
    plans.choices.map(({ operation, key, calls, variant, why, variants }) => [
      operation,
      key,
      `${calls}`,
      variant,
      why,
      variants.filter((name) => name !== variant).join(", "),
    ]),
  );
}
