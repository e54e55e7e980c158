/** What differs between implementations of WebGPU. `deno.ts` and `dawn.ts` are the two; nobody else names a global of theirs. */

export type BackendName = "deno" | "dawn";

export interface Backend {
  readonly name: BackendName;
  readonly BufferUsage: typeof GPUBufferUsage;
  readonly MapMode: typeof GPUMapMode;
  readonly OutOfMemoryError: typeof GPUOutOfMemoryError;
  /** What to do when it finds no adapter. */
  readonly noAdapter: string;
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

/** An m × k by k × n product of f16 with f32 sums that a subgroup of so many invocations computes at once. */
export interface MatrixShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly subgroup: number;
}

/** What is emulated where an adapter has none. */
export const EMULATED: MatrixShape = { m: 8, n: 8, k: 8, subgroup: 8 };

export function capabilitiesOf({ features }: GPUDevice, info: GPUAdapterInfo): Capabilities {
  return {
    f16: features.has("shader-f16"),
    subgroups: features.has("subgroups"),
    matrices: features.has(SUBGROUP_MATRIX) && matrixShapes(info).length > 0,
  };
}

interface MatrixConfig {
  componentType: string;
  resultComponentType: string;
  M: number;
  N: number;
  K: number;
}

/** What the adapter multiplies f16 by f16 into f32 with, the largest first. */
export function matrixShapes(info: GPUAdapterInfo): MatrixShape[] {
  const { subgroupMatrixConfigs = [], subgroupMaxSize } = info as GPUAdapterInfo & {
    subgroupMatrixConfigs?: Iterable<MatrixConfig>;
    subgroupMaxSize: number;
  };
  return [...subgroupMatrixConfigs]
    .filter(({ componentType, resultComponentType }) => componentType === "f16" && resultComponentType === "f32")
    .map(({ M, N, K }) => ({ m: M, n: N, k: K, subgroup: subgroupMaxSize }))
    .toSorted((a, b) => b.m * b.n * b.k - a.m * a.n * a.k);
}

/** Known to Dawn alone so far. */
export const SUBGROUP_MATRIX = "chromium-experimental-subgroup-matrix" as GPUFeatureName;

/** Those of `names` that the adapter lists. */
export const listed = (adapter: GPUAdapter, names: readonly GPUFeatureName[]): GPUFeatureName[] =>
  names.filter((name) => adapter.features.has(name));
