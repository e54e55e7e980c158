/** What an adapter is taken for in tests and checks: one with tensor cores. */
import type { Gpu } from "./device.ts";
import { EMULATED, type MatrixShape } from "./matrix.ts";

type Size = Pick<MatrixShape, "m" | "n" | "k" | "subgroup">;

/** `gpu` as a hardware adapter with tensor cores: its own, or of this shape and emulated, for tests and checks anywhere. */
export const withMatrices = (gpu: Gpu, size: Size = EMULATED): Gpu => ({
  ...gpu,
  kind: "hardware",
  can: { ...gpu.can, matrices: true },
  matrix: gpu.can.matrices ? gpu.matrix : { ...EMULATED, ...size },
});
