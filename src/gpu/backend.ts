/** What differs between implementations of WebGPU. `deno.ts` and `dawn.ts` are the two; nobody else names a global of theirs. */

/** Deno's own WebGPU, or Dawn. */
export type BackendName = "deno" | "dawn";

/** What gpu.backend takes. `auto`: Dawn where it is installed and its adapter has tensor cores, else Deno's own. */
export type AskedBackend = BackendName | "auto";

export interface Backend {
  readonly name: BackendName;
  readonly BufferUsage: typeof GPUBufferUsage;
  readonly MapMode: typeof GPUMapMode;
  readonly OutOfMemoryError: typeof GPUOutOfMemoryError;
  /** What to do when it finds no adapter. */
  readonly noAdapter: string;
  /** Extensions of WGSL that its compiler knows without the line that enables them, and refuses with it. */
  readonly knownExtensions: readonly string[];
  requestAdapter(options: GPURequestAdapterOptions): Promise<GPUAdapter | null>;
  /** Opens a device with those optional features of use here that the adapter has, whether it lists them or not. */
  requestDevice(adapter: GPUAdapter, requiredLimits: Record<string, number>): Promise<GPUDevice>;
  /** The adapter's name for people. */
  adapterName(info: GPUAdapterInfo): string;
}

/** What kernels may use on a device besides the core of WebGPU. */
export interface Capabilities {
  /** 16-bit floats. */
  readonly f16: boolean;
  /** Sums and exchanges between the invocations of a subgroup. */
  readonly subgroups: boolean;
  /** Products of small matrices by a whole subgroup: tensor cores. */
  readonly matrices: boolean;
}

/** Those of `names` that the adapter lists. */
export const listed = (adapter: GPUAdapter, names: readonly GPUFeatureName[]): GPUFeatureName[] =>
  names.filter((name) => adapter.features.has(name));

/** Whether an adapter runs on the CPU. */
export const kindOf = ({ description, isFallbackAdapter }: GPUAdapterInfo): "software" | "hardware" =>
  isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|softpipe/i.test(description) ? "software" : "hardware";
