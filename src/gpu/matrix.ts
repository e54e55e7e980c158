/** Subgroup matrices, which is what WGSL calls tensor cores: their shapes, and what stands in for them. */

/** f16 [m, k] · f16 [k, n], added to f32 [m, n], that the `subgroup` invocations of a subgroup compute at once. */
export interface MatrixShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly subgroup: number;
  /** Whether kernels have to ask for subgroups of that size. */
  readonly asked: boolean;
  /** Whether kernels compute it with ordinary instructions. */
  readonly emulated: boolean;
  /** Most multiply-adds that a kernel may write out for a subgroup and a step: compiling them takes a CPU seconds each. */
  readonly most: number;
}

export const EMULATED: MatrixShape = {
  m: 16,
  n: 16,
  k: 16,
  subgroup: 16,
  asked: false,
  emulated: true,
  most: Infinity,
};

/** Of a software adapter that has real ones: one product of 16 x 16 x 16, or eight of 8 x 8 x 8. */
const MOST_ON_CPU = 16 ** 3;

/** GPUAdapterInfo as Dawn has it. */
interface MatrixInfo {
  subgroupMinSize: number;
  subgroupMaxSize: number;
  subgroupMatrixConfigs?: Iterable<
    { componentType: string; resultComponentType: string; M: number; N: number; K: number }
  >;
}

/** Known to Dawn alone so far. */
export const SUBGROUP_MATRIX = "chromium-experimental-subgroup-matrix" as GPUFeatureName;
export const SUBGROUP_SIZE = "subgroup-size-control" as GPUFeatureName;

/**
 * The largest shape that a device has, if any. Kernels take an invocation's place for its subgroup's number, so subgroups
 * have to be of one size: the smallest, where an adapter has several and lets kernels ask. That is what Intel's matrix units
 * are as wide as; AMD's take either.
 */
export function matrixShapeOf(
  { features }: Pick<GPUDevice, "features">,
  info: GPUAdapterInfo,
  kind: "software" | "hardware",
): MatrixShape | undefined {
  const { subgroupMatrixConfigs = [], subgroupMinSize: subgroup, subgroupMaxSize } = info as unknown as MatrixInfo;
  const asked = features.has(SUBGROUP_SIZE);
  if (!features.has(SUBGROUP_MATRIX) || (subgroup !== subgroupMaxSize && !asked)) return undefined;
  const [largest] = [...subgroupMatrixConfigs]
    .filter(({ componentType, resultComponentType }) => componentType === "f16" && resultComponentType === "f32")
    .toSorted((a, b) => b.M * b.N * b.K - a.M * a.N * a.K);
  const most = kind === "software" ? MOST_ON_CPU : Infinity;
  return largest && { m: largest.M, n: largest.N, k: largest.K, subgroup, asked, emulated: false, most };
}

/** Constants of kernels on kernels/lib/matrix.wgsl; SIZED stands at their entry points. */
export const matrixShapeConstants = (
  { m, n, k, subgroup, asked, emulated }: MatrixShape,
): Record<string, number | string> => ({
  EMULATED: Number(emulated),
  MATRIX_M: m,
  MATRIX_N: n,
  MATRIX_K: k,
  SUBGROUP: subgroup,
  SIZED: asked ? `@subgroup_size(${subgroup})` : "",
});
