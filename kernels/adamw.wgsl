// AdamW with gradient clipping in one pass over a chunk of parameters, in the order of torch.optim.AdamW
// (Loshchilov and Hutter, 2019): decay p, update m and v with the clipped gradient, step.
//#include "lib/adamw_parameters.wgsl"
//#include "lib/linear_id.wgsl"

override ELEMENTS: u32;
override DECAYED: u32; // elements below this index have weight decay

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> norm: array<f32, 2>; // norm, clip factor
@group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> firstMoment: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> secondMoment: array<vec4<f32>>;

@compute @workgroup_size(64)
fn step(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = linear_workgroup(group, grid) * 64u + local;
  let index = vec4(at * 4u) + vec4(0u, 1u, 2u, 3u);
  if (index.x >= ELEMENTS) {
    return;
  }
  let g = gradients[at] * norm[1];
  let old = values[at];
  var m = firstMoment[at];
  var v = secondMoment[at];
//#if WHOLE_QUADS == 0
  let inside = index < vec4(ELEMENTS);
  let old_m = m;
  let old_v = v;
//#end
  m += parameters.rest1 * (g - m);
  v = v * parameters.beta2 + parameters.rest2 * (g * g);
  var p = old * select(vec4(1.0), vec4(parameters.keep), index < vec4(DECAYED));
  // The smallest normal number instead of 0, where eps is 0 and nothing has flowed: 0 / 0 is no step, not NaN.
  let denominator = max(sqrt(v) / parameters.root_correction2 + parameters.eps, vec4(1.17549435e-38));
  p -= parameters.step_size * (m / denominator);
//#if WHOLE_QUADS
  values[at] = p;
  firstMoment[at] = m;
  secondMoment[at] = v;
//#else
  values[at] = select(old, p, inside);
  firstMoment[at] = select(old_m, m, inside);
  secondMoment[at] = select(old_v, v, inside);
//#end
}
