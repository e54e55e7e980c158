/** What an adapter is taken for in tests and checks: one with tensor cores. */
import type { Gpu } from "./device.ts";
import { EMULATED, type MatrixShape } from "./matrix.ts";

/** `gpu` as a hardware adapter with tensor cores: its own, or of this shape and emulated, for tests and checks anywhere. */
export const withMatrices = (gpu: Gpu, shape: Omit<MatrixShape, "emulated"> = EMULATED): Gpu => ({
  ...gpu,
  kind: "hardware",
  can: { ...gpu.can, matrices: true },
  matrix: gpu.can.matrices ? gpu.matrix : { ...shape, emulated: true },
});
