// What an adapter can do at most: `copy` moves quads from x to y, `arithmetic` is multiply-adds that stay in registers,
// 2 * 4 * CHAINS * STEPS floating-point operations an invocation and round.
//#include "lib/linear_id.wgsl"

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn copy(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_workgroup(workgroup, grid) * 64u + lane;
  if (at < ${QUADS}u) {
    y[at] = x[at];
  }
}

@compute @workgroup_size(64)
fn arithmetic(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linear_workgroup(workgroup, grid) * 64u + lane;
  let factor = vec4<f32>(0.999);
  let summand = vec4<f32>(f32(lane));
//#for I in 0..CHAINS
  var s${I} = vec4<f32>(${I}.0);
//#end
  for (var round = 0u; round < ${ROUNDS}u; round++) {
//#for S in 0..STEPS
//#for I in 0..CHAINS
    s${I} = fma(s${I}, factor, summand);
//#end
//#end
  }
  var sum = vec4<f32>();
//#for I in 0..CHAINS
  sum += s${I};
//#end
  y[at] = sum;
}
