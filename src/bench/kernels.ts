/** The kernels that are measured, each with a float64 reference of what it computes. */
import { attentionBench } from "./attention.ts";
import { CONVOLUTION_BENCHES } from "./convolution.ts";
import { OPTIMIZER_BENCHES } from "./optimizer.ts";
import { PRODUCT_BENCHES } from "./products.ts";
import { QUANTIZE_BENCHES } from "./quantize.ts";
import { ROW_BENCHES } from "./rows.ts";
import type { KernelBench } from "./workbench.ts";

export const KERNEL_BENCHES: Readonly<Record<string, KernelBench>> = {
  ...PRODUCT_BENCHES,
  attention: attentionBench("forward"),
  attention_backward: attentionBench("backward"),
  ...CONVOLUTION_BENCHES,
  ...QUANTIZE_BENCHES,
  ...ROW_BENCHES,
  ...OPTIMIZER_BENCHES,
};
