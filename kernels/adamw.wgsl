// AdamW with gradient clipping in one pass over a chunk of parameters, in the order of torch.optim.AdamW
// (Loshchilov and Hutter, 2019): decay p, update m and v with the clipped gradient, step. Where products read the
// parameters in half precision, that copy is written too.
//#include "lib/update.wgsl"
//#include "lib/linear_id.wgsl"

override QUADS: u32;
override DECAYED: u32; // quads below this index have weight decay

@group(0) @binding(0) var<uniform> optimizer: Optimizer;
@group(0) @binding(1) var<uniform> update: Update;
@group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> firstMoment: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> secondMoment: array<vec4<f32>>;
//#if HAS_compute
//#tensor compute write 4
//#end

@compute @workgroup_size(64)
fn step(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = linear_workgroup(group, grid) * 64u + local;
  if (at >= QUADS || update.skipped != 0u) {
    return;
  }
  let g = gradients[at] * update.factor;
  var m = firstMoment[at];
  m += optimizer.rest1 * (g - m);
  firstMoment[at] = m;
  let v = secondMoment[at] * optimizer.beta2 + optimizer.rest2 * (g * g);
  secondMoment[at] = v;
  // The smallest normal number instead of 0, where eps is 0 and nothing has flowed: 0 / 0 is no step, not NaN.
  let denominator = max(sqrt(v) / update.correction2 + optimizer.eps, vec4(1.17549435e-38));
  let decayed = values[at] * select(1.0, optimizer.keep, at < DECAYED);
  let p = decayed - optimizer.learning_rate * update.correction1 * (m / denominator);
  values[at] = p;
//#if HAS_compute
  store_compute(at, 0u, p);
//#end
}
