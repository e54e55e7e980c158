// The L2 norm over all gradients and the factor that clips it. Sums go up a tree, 256 values at a time, always in
// the same order; every addition joins terms of like size, so that rounding stays near one unit even for 10^8 of them.
//   sums, SQUARE: partials[BEGIN + i] = sum of the squares of the i-th run of gradients
//   sums, not SQUARE: the same without squaring, from one level to the next
//   finish: norm = (sqrt(sum of the last level), clip factor)
//#include "lib/linear_id.wgsl"

override ELEMENTS: u32;
override BEGIN: u32;

@group(0) @binding(0) var<storage, read> values: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;

fn quad(at: u32) -> vec4<f32> {
  let first = at * 4u;
  if (first >= ELEMENTS) {
    return vec4<f32>();
  }
  let value = select(vec4<f32>(), values[at], vec4(first) + vec4(0u, 1u, 2u, 3u) < vec4(ELEMENTS));
//#if SQUARE
  return value * value;
//#else
  return value;
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
  if (id * 16384u >= ELEMENTS) {
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

@group(0) @binding(2) var<uniform> maxNorm: f32;
@group(0) @binding(3) var<storage, read_write> norm: array<f32, 2>;

// As torch.nn.utils.clip_grad_norm_; a maximum of 0 or less does not clip.
@compute @workgroup_size(1)
fn finish() {
  var sum = vec4<f32>();
  for (var at = 0u; at < (ELEMENTS + 3u) / 4u; at++) {
    sum += quad(at);
  }
  let length = sqrt((sum.x + sum.y) + (sum.z + sum.w));
  var factor = maxNorm / (length + 1e-6);
  if (factor > 1.0 || maxNorm <= 0.0) {
    factor = 1.0;
  }
  norm[0] = length;
  norm[1] = factor;
}
