/** Kernels by name: `kernels/<name>.wgsl`, one or several entry points, specialised by named constants. */
import { EntailError } from "../errors.ts";
import type { Backend } from "./backend.ts";
import type { DType } from "./dtype.ts";
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
  /** Types of the tensors that are bound, by variable. */
  types?: Readonly<Record<string, DType>>;
}

export interface Kernel {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  /** A compiler's message, with kernel file and line for every line of the expanded shader that it names. */
  locate(message: string): string;
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
  if (KERNELS.protocol !== "file:") {
    throw new EntailError(
      "usage",
      `${KERNELS}: kernels are read from disk; import mod.ts from a folder, or entail's npm package`,
    );
  }
  let text = sources.get(path);
  if (text === undefined) sources.set(path, text = Deno.readTextFileSync(new URL(path, KERNELS)));
  return text;
}

/** The text of all files below `kernels/`, in order. */
export function kernelsText(folder = ""): string {
  const entries = [...Deno.readDirSync(new URL(folder, KERNELS))].sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.map(({ name, isDirectory }) =>
    isDirectory ? kernelsText(`${folder}${name}/`) : `${folder}${name}\n${readKernel(folder + name)}`
  ).join("\n");
}

/** Every entry point of the kernels. */
export function entryPoints(): { kernel: string; entry: string }[] {
  const files = [...Deno.readDirSync(KERNELS)].filter(({ isFile }) => isFile).map(({ name }) => name).sort();
  return files.flatMap((file) =>
    [...readKernel(file).matchAll(/@compute[^\n]*\s+fn\s+(\w+)/g)].map(([, entry]) => ({
      kernel: file.replace(/\.wgsl$/, ""),
      entry,
    }))
  );
}

/** Gives a file below `kernels/` another text: how a test breaks a kernel. */
export type SourceEdit = (path: string, text: string) => string;

/** A kernel's shader text. */
export interface Shader {
  code: string;
  /** File and line below `kernels/` of each line of `code`. */
  origins: readonly string[];
  /** The constants that the pipeline takes. */
  overrides: Readonly<Record<string, number>>;
}

/** The shader text of a kernel. Throws an `Error` that names file and line where the template does not expand. */
export function specialise(
  { kernel, entry, constants = {}, types = {} }: KernelSpec,
  { backend, edit = (_path, text) => text }: { backend?: Backend; edit?: SourceEdit } = {},
): Shader {
  const path = `${kernel}.wgsl`;
  const expansion = expandTemplate(path, {
    constants,
    types,
    knownExtensions: backend?.knownExtensions,
    read: (file) => edit(file, readKernel(file)),
  });
  const { code } = expansion;
  if (!new RegExp(`\\bfn\\s+${entry}\\b`).test(code)) throw new Error(`kernels/${path} has no entry point ${entry}`);
  const declared = [...code.matchAll(/^\s*override\s+(\w+)/gm)].map(([, name]) => name);
  const given = declared.filter((name) => name in constants).map((name) => [name, Number(constants[name])]);
  return { ...expansion, overrides: Object.fromEntries(given) };
}

/** wgpu's "wgsl:12:5" and Dawn's ":12:5 error", as places in kernel files. */
const locateIn = (origins: readonly string[]) => (message: string): string =>
  message.replace(/(?:\bwgsl)?:(\d+):(\d+)\b/g, (place, line) => {
    const origin = origins[Number(line) - 1];
    return origin ? ` kernels/${origin}` : place;
  });

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
export function kernelCache(
  { backend, device }: { backend: Backend; device: GPUDevice },
  edit?: SourceEdit,
): KernelCache {
  const kernels = new Map<string, Kernel>();
  const modules = new Map<string, GPUShaderModule>();
  // Layers ask for the same kernels over and over, and expanding a template takes milliseconds.
  const bySpec = new Map<string, Kernel>();

  function compiled(spec: KernelSpec): Kernel {
    const { code, overrides, origins } = specialise(spec, { backend, edit });
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
    const kernel = { label, pipeline, bindings: parseBindings(code), locate: locateIn(origins) };
    kernels.set(key, kernel);
    return kernel;
  }

  return {
    get(spec) {
      const key = JSON.stringify([spec.kernel, spec.entry, spec.constants, spec.types]);
      let kernel = bySpec.get(key);
      if (!kernel) bySpec.set(key, kernel = compiled(spec));
      return kernel;
    },
    get size() {
      return kernels.size;
    },
  };
}
