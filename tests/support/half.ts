/** What storing a number in 16 bits does to it, for references on rounded inputs. */
import { type DType, isHalf, narrow, widen } from "../../src/gpu/dtype.ts";

/** Largest relative error of storing a number. */
export const UNIT_ROUNDOFF: Readonly<Record<DType, number>> = { f32: 0, u32: 0, f16: 2 ** -11, bf16: 2 ** -8 };

/** The values that a tensor of this type holds once they are written to it. */
export const rounded = (values: Float32Array<ArrayBuffer>, dtype: DType): Float32Array<ArrayBuffer> =>
  isHalf(dtype) ? widen(narrow(values, dtype), dtype).subarray(0, values.length) : values;
