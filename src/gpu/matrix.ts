/** Subgroup matrices, which is what WGSL calls tensor cores: their shapes, and what stands in for them. */

/** f16 [m, k] · f16 [k, n], added to f32 [m, n], that the `subgroup` invocations of a subgroup compute at once. */
export interface MatrixShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly subgroup: number;
  /** Whether kernels compute it with ordinary instructions. */
  readonly emulated: boolean;
}

export const EMULATED: MatrixShape = { m: 16, n: 16, k: 16, subgroup: 16, emulated: true };

/** GPUAdapterInfo as Dawn has it. */
interface MatrixInfo {
  subgroupMinSize: number;
  subgroupMaxSize: number;
  subgroupMatrixConfigs?: Iterable<
    { componentType: string; resultComponentType: string; M: number; N: number; K: number }
  >;
}

/**
 * The largest shape that an adapter has, if any. None where subgroups are of several sizes: kernels take an invocation's
 * place for its subgroup's number.
 */
export function matrixShapeOf(info: GPUAdapterInfo): MatrixShape | undefined {
  const { subgroupMatrixConfigs = [], subgroupMinSize, subgroupMaxSize: subgroup } = info as unknown as MatrixInfo;
  if (subgroupMinSize !== subgroup) return undefined;
  const [largest] = [...subgroupMatrixConfigs]
    .filter(({ componentType, resultComponentType }) => componentType === "f16" && resultComponentType === "f32")
    .toSorted((a, b) => b.M * b.N * b.K - a.M * a.N * a.K);
  return largest && { m: largest.M, n: largest.N, k: largest.K, subgroup, emulated: false };
}
