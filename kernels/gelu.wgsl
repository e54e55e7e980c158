// The exact GELU, element by element on [rows, COLUMNS]: forward y = gelu(pre_activation), backward
// dx = dy * gelu'(pre_activation).
//#include "lib/gelu.wgsl"
//#include "lib/quads.wgsl"

//#tensor pre_activation read COLUMNS
//#tensor dy read COLUMNS
//#tensor dx write COLUMNS
//#tensor y write COLUMNS

@compute @workgroup_size(64)
fn forward(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = quad_at(linear_workgroup(workgroup, grid) * 64u + lane);
  if (at.row < rows) {
    store_y(at.row, at.quad, gelu_quad(load_pre_activation(at.row, at.quad)));
  }
}

@compute @workgroup_size(64)
fn backward(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = quad_at(linear_workgroup(workgroup, grid) * 64u + lane);
  if (at.row < rows) {
    let slope = gelu_derivative_quad(load_pre_activation(at.row, at.quad));
    store_dx(at.row, at.quad, load_dy(at.row, at.quad) * slope);
  }
}
