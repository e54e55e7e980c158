/** Types of elements, and 16-bit floats on the host: to the same bits as kernels/lib/half.wgsl. */

/** How an element is stored: f16 is IEEE 754 binary16, bf16 the upper half of an f32. Kernels compute in f32 whatever it is. */
export type DType = "f32" | "f16" | "bf16" | "u32";

export type HalfType = "f16" | "bf16";

export const isHalf = (dtype: DType): dtype is HalfType => dtype === "f16" || dtype === "bf16";

/** Bytes of an element. */
export const elementBytes = (dtype: DType): number => (isHalf(dtype) ? 2 : 4);

/** Rounds to nearest even; what is too large becomes infinite. An even number of elements, the last perhaps 0. */
export function narrow(values: Float32Array, dtype: HalfType): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(values.length + values.length % 2);
  if (dtype === "f16") {
    new Float16Array(halves.buffer).set(values);
    return halves;
  }
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < values.length; i++) {
    const word = bits[i];
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    halves[i] = (isNan ? word | 0x400000 : word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return halves;
}

export function widen(halves: Uint16Array<ArrayBuffer>, dtype: HalfType): Float32Array<ArrayBuffer> {
  if (dtype === "f16") return Float32Array.from(new Float16Array(halves.buffer, halves.byteOffset, halves.length));
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}
