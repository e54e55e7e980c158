/** The shader that a kernel becomes, for people: each line with the file and line that it comes from. */
import { EntailError } from "../errors.ts";
import type { DType } from "../gpu/dtype.ts";
import type { Gpu } from "../gpu/device.ts";
import { entryPoints, type KernelSpec, specialise } from "../gpu/kernel.ts";
import type { Constants } from "../gpu/template.ts";
import { compileProblem, type KernelUse, kernelUses } from "./kernels.ts";

const TYPES: readonly string[] = ["f32", "f16", "bf16", "u32"] satisfies DType[];

/** "layer_norm.forward" with `settings` like COLUMNS=768 and x=f16; what they leave out is as the first model has it. */
export interface ShaderRequest {
  name: string;
  settings: readonly string[];
}

export interface ShaderText {
  /** Its constants, the types of its tensors, and which model uses it so. */
  head: string[];
  /** "lib/gelu.wgsl:12 | …" */
  lines: string[];
  /** Why it does not compile here; null if it does. */
  problem: string | null;
}

/** Usage error for an entry point that is not there, or a template that does not expand. */
export async function shaderText(gpu: Gpu, { name, settings }: ShaderRequest): Promise<ShaderText> {
  const { kernel, entry } = entryPoint(name);
  const { constants, types } = parseSettings(settings);
  const uses: KernelUse[] = [];
  for await (const use of kernelUses(gpu)) if (use.spec.kernel === kernel && use.spec.entry === entry) uses.push(use);
  const has = (given: Constants, asked: Constants) =>
    Object.entries(asked).every(([key, value]) => given[key] === value);
  const isAsked = ({ spec }: KernelUse) => has(spec.constants ?? {}, constants) && has(spec.types ?? {}, types);
  const asked = uses.find(isAsked);
  const start = asked ?? uses[0];
  const spec = {
    kernel,
    entry,
    constants: { ...start?.spec.constants, ...constants },
    types: { ...start?.spec.types, ...types },
  };
  const { code, origins } = expand(gpu, spec);
  const width = Math.max(...origins.map((origin) => origin.length));
  const whose = asked ? `as used by ${asked.user}` : start ? `from its use by ${start.user}` : "which no model uses";
  return {
    head: [
      `kernels/${kernel}.wgsl, entry point ${entry}, ${whose}${uses.length > 1 ? ` (${uses.length} uses)` : ""}`,
      `constants: ${pairs(spec.constants)}`,
      `tensors: ${pairs(spec.types)}`,
    ],
    lines: code.split("\n").map((line, at) => `${origins[at].padEnd(width)} | ${line}`.trimEnd()),
    problem: await compileProblem(gpu, spec),
  };
}

function entryPoint(name: string): { kernel: string; entry: string } {
  const known = entryPoints();
  const found = known.find(({ kernel, entry }) => `${kernel}.${entry}` === name);
  if (found) return found;
  const [file] = name.split(".");
  const near = known.filter(({ kernel }) => kernel === file);
  const choices = near.length > 0
    ? near.map(({ kernel, entry }) => `${kernel}.${entry}`)
    : [...new Set(known.map(({ kernel }) => kernel))].map((kernel) => `${kernel}.…`);
  throw new EntailError("usage", `--shader ${name}: expected one of ${choices.join(", ")}`);
}

function parseSettings(settings: readonly string[]): { constants: Constants; types: Record<string, DType> } {
  const constants: Record<string, number | string> = {};
  const types: Record<string, DType> = {};
  for (const setting of settings) {
    const [, name, value] = /^([A-Za-z_]\w*)=(.+)$/.exec(setting) ?? [];
    if (name === undefined) {
      throw new EntailError("usage", `${setting}: expected a constant or a type, as in COLUMNS=768 or x=f16`);
    }
    if (TYPES.includes(value)) types[name] = value as DType;
    else constants[name] = value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
  }
  return { constants, types };
}

function expand({ backend }: Gpu, spec: KernelSpec) {
  try {
    return specialise(spec, { backend });
  } catch (error) {
    throw new EntailError("usage", (error as Error).message, { cause: error });
  }
}

const pairs = (of: Readonly<Record<string, unknown>>): string =>
  Object.entries(of).map(([name, value]) => `${name}=${value}`).join(" ") || "none";
