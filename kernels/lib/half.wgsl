// 16-bit floats, two in a word: f16 (IEEE 754 binary16) and bf16 (the upper half of an f32). Reading widens to f32;
// writing rounds to nearest even, and what is too large, or no number, becomes infinite or stays NaN: never a number.
//#once

fn widen_f16(words: vec2<u32>) -> vec4<f32> {
  return vec4(unpack2x16float(words.x), unpack2x16float(words.y));
}

// pack2x16float may round any way and means nothing beyond 65504: here it only gets numbers that need no rounding.
fn narrow_f16(value: vec4<f32>) -> vec2<u32> {
  let bits = bitcast<vec4<u32>>(value);
  let size = bits & vec4(0x7fffffffu);
  // Below 2^-14, f16 has steps of 2^-24.
  let small = round(bitcast<vec4<f32>>(size) * 16777216.0) * 5.9604644775390625e-8;
  let normal = bitcast<vec4<f32>>((size + vec4(0x0fffu) + ((size >> vec4(13u)) & vec4(1u))) & vec4(0xffffe000u));
  let rounded = min(select(normal, small, size < vec4(0x38800000u)), vec4(65504.0));
  let xy = pack2x16float(rounded.xy);
  let zw = pack2x16float(rounded.zw);
  // From 65520 on infinite; what is above infinity is no number.
  let special = select(vec4(0x7c00u), vec4(0x7e00u), size > vec4(0x7f800000u));
  let number = vec4(xy & 0xffffu, xy >> 16u, zw & 0xffffu, zw >> 16u);
  let halves = select(number, special, size >= vec4(0x477ff000u)) | ((bits >> vec4(16u)) & vec4(0x8000u));
  return vec2(halves.x | (halves.y << 16u), halves.z | (halves.w << 16u));
}

fn widen_bf16(words: vec2<u32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(
    vec4(words.x << 16u, words.x & 0xffff0000u, words.y << 16u, words.y & 0xffff0000u),
  );
}

fn narrow_bf16(value: vec4<f32>) -> vec2<u32> {
  let bits = bitcast<vec4<u32>>(value);
  let rounded = bits + vec4(0x7fffu) + ((bits >> vec4(16u)) & vec4(1u));
  let is_nan = (bits & vec4(0x7fffffffu)) > vec4(0x7f800000u);
  let halves = select(rounded, bits | vec4(0x400000u), is_nan) >> vec4(16u);
  return vec2(halves.x | (halves.y << 16u), halves.z | (halves.w << 16u));
}
