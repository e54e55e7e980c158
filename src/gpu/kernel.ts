/** Kernels by name: `kernels/<name>.wgsl`, one or several entry points, specialised by named constants. */
import { type Constants, expandTemplate } from "./template.ts";

export interface KernelSpec {
  /** File name below `kernels/`, without the extension. */
  kernel: string;
  entry: string;
  /**
   * Named constants: those the file declares as `override` become pipeline constants, all of them can be used in its
   * template directives.
   */
  constants?: Constants;
}

export interface Kernel {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  /** Binding number and kind of every module-scope `@group(0)` variable, by its WGSL name. */
  readonly bindings: ReadonlyMap<string, KernelBinding>;
}

export interface KernelBinding {
  readonly index: number;
  readonly access: "uniform" | "read" | "read_write";
}

export interface KernelCache {
  /** The compiled kernel; compiles on first use. Compilation errors surface through the device's error scopes. */
  get(spec: KernelSpec): Kernel;
  /** How many pipelines have been compiled so far. */
  readonly size: number;
}

const KERNELS = new URL("../../kernels/", import.meta.url);
const sources = new Map<string, string>();

function readKernel(path: string): string {
  let text = sources.get(path);
  if (text === undefined) sources.set(path, text = Deno.readTextFileSync(new URL(path, KERNELS)));
  return text;
}

/** Gives a file below `kernels/` another text: how a test breaks a kernel. */
export type SourceEdit = (path: string, text: string) => string;

/** The shader text of a kernel and the overrides that remain for the pipeline. */
export function specialise(
  { kernel, entry, constants = {} }: KernelSpec,
  edit: SourceEdit = (_path, text) => text,
): { code: string; overrides: Constants } {
  const path = `${kernel}.wgsl`;
  const read = (file: string) => edit(file, readKernel(file));
  let code: string;
  try {
    code = expandTemplate(read(path), constants, read);
  } catch (cause) {
    throw new Error(`kernels/${path}: ${(cause as Error).message}`, { cause });
  }
  if (!new RegExp(`\\bfn\\s+${entry}\\b`).test(code)) throw new Error(`kernels/${path} has no entry point ${entry}`);
  const declared = new Set([...code.matchAll(/^\s*override\s+(\w+)/gm)].map(([, name]) => name));
  return { code, overrides: Object.fromEntries(Object.entries(constants).filter(([name]) => declared.has(name))) };
}

/** Binding number and access of each `@group(0) @binding(n) var<…> name` in `code`. */
export function parseBindings(code: string): Map<string, KernelBinding> {
  const bindings = new Map<string, KernelBinding>();
  const pattern =
    /@group\(0\)\s*@binding\((\d+)\)\s*var<\s*(uniform|storage)\s*(?:,\s*(read_write|read)\s*)?>\s*(\w+)/g;
  for (const [, index, space, access, name] of code.matchAll(pattern)) {
    bindings.set(name, { index: Number(index), access: space === "uniform" ? "uniform" : access as "read" ?? "read" });
  }
  return bindings;
}

/** A cache of compiled pipelines. The key is all a shader depends on: expanded source, entry point, overrides. */
export function kernelCache(device: GPUDevice, edit?: SourceEdit): KernelCache {
  const kernels = new Map<string, Kernel>();
  const modules = new Map<string, GPUShaderModule>();
  // Layers ask for the same kernels over and over, and expanding a template takes milliseconds.
  const bySpec = new Map<string, Kernel>();

  function compiled(spec: KernelSpec): Kernel {
    const { code, overrides } = specialise(spec, edit);
    const sorted = Object.entries(overrides).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify([code, spec.entry, sorted]);
    const known = kernels.get(key);
    if (known) return known;
    const label = `${spec.kernel}.${spec.entry}`;
    let module = modules.get(code);
    if (!module) modules.set(code, module = device.createShaderModule({ label, code }));
    const pipeline = device.createComputePipeline({
      label,
      layout: "auto",
      compute: { module, entryPoint: spec.entry, constants: overrides },
    });
    const kernel = { label, pipeline, bindings: parseBindings(code) };
    kernels.set(key, kernel);
    return kernel;
  }

  return {
    get(spec) {
      const key = JSON.stringify([spec.kernel, spec.entry, spec.constants]);
      let kernel = bySpec.get(key);
      if (!kernel) bySpec.set(key, kernel = compiled(spec));
      return kernel;
    },
    get size() {
      return kernels.size;
    },
  };
}
