// The L2 norm over all gradients and what follows from it for the step at hand. Sums go up a tree, 256 values at a time,
// always in the same order; every addition joins terms of like size, so that rounding stays near one unit even for 10^8
// of them.
//   sums, SQUARE: partials[BEGIN + i] = sum of the squares of the i-th run of gradients
//   sums, not SQUARE: the same without squaring, from one level to the next
//   finish: norm and clip factor from the last level; with a DYNAMIC loss scale, whether the step is
//     skipped, and the next scale
//#include "lib/update.wgsl"
//#include "lib/linear_id.wgsl"

override QUADS: u32;
override BEGIN: u32;

@group(0) @binding(0) var<storage, read> values: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;
//#if SQUARE
@group(0) @binding(2) var<uniform> scaler: Scaler;
//#else
@group(0) @binding(2) var<storage, read_write> scaler: Scaler;
//#end

fn quad(at: u32) -> vec4<f32> {
  if (at >= QUADS) {
    return vec4<f32>();
  }
//#if SQUARE
  // Squares of scaled gradients might overflow where the gradients do not.
  let unscaled = values[at] * scaler.inverse;
  return unscaled * unscaled;
//#else
  return values[at];
//#end
}

// Each of the 64 invocations sums 64 quads and writes one partial; neighbours read neighbouring quads.
@compute @workgroup_size(64)
fn sums(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let id = linear_workgroup(group, grid);
  if (id * 4096u >= QUADS) {
    return;
  }
  var sum = vec4<f32>();
  for (var step = 0u; step < 64u; step += 8u) {
    let at = id * 4096u + step * 64u + local;
//#for I in 0..8
    let q${I} = quad(at + ${I * 64}u);
//#end
    sum += ((q0 + q1) + (q2 + q3)) + ((q4 + q5) + (q6 + q7));
  }
  partials[BEGIN + id * 64u + local] = (sum.x + sum.y) + (sum.z + sum.w);
}

//#if SQUARE == 0
override DYNAMIC = false;
const GROWTH_STEPS = 2000u; // in a row without an overflow
const LARGEST_SCALE = 8.507059173023462e37; // 2^126, whose inverse is still a normal number

@group(0) @binding(3) var<uniform> maxNorm: f32;
@group(0) @binding(4) var<storage, read_write> update: Update;
@group(0) @binding(5) var<storage, read> corrections: array<vec2<f32>>; // of 1, 2, … updates; the last for all beyond

// As torch.nn.utils.clip_grad_norm_; a maximum of 0 or less does not clip.
@compute @workgroup_size(1)
fn finish() {
  var sum = vec4<f32>();
  for (var at = 0u; at < QUADS; at++) {
    sum += quad(at);
  }
  let length = sqrt((sum.x + sum.y) + (sum.z + sum.w));
  var factor = maxNorm / (length + 1e-6);
  if (factor > 1.0 || maxNorm <= 0.0) {
    factor = 1.0;
  }
  // By the bits: a compiler may take it that numbers are finite.
  let skipped = DYNAMIC && (bitcast<u32>(length) & 0x7f800000u) == 0x7f800000u;
  scaler.applied += select(1u, 0u, skipped);
  let correction = corrections[clamp(scaler.applied, 1u, arrayLength(&corrections)) - 1u];
  update = Update(length, factor * scaler.inverse, correction.x, correction.y, scaler.scale, u32(skipped));
  scaler.good_steps += 1u;
  if (skipped) {
    rescale(0.5, 2.0);
  } else if (DYNAMIC && scaler.good_steps >= GROWTH_STEPS && scaler.scale < LARGEST_SCALE) {
    rescale(2.0, 0.5);
  }
}

fn rescale(change: f32, inverse: f32) {
  scaler.scale *= change;
  scaler.inverse *= inverse;
  scaler.good_steps = 0u;
}
//#end
