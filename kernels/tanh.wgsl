// The gradient through tanh, element by element on [rows, COLUMNS]: dx = dy * (1 - y^2) from its output y. The forward is
// part of the product that makes y (lib/product_result.wgsl).
//#include "lib/quads.wgsl"

//#tensor y read COLUMNS
//#tensor dy read COLUMNS
//#tensor dx write COLUMNS

@compute @workgroup_size(64)
fn backward(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = quad_at(linear_workgroup(workgroup, grid) * 64u + lane);
  if (at.row < rows) {
    let y = load_y(at.row, at.quad);
    store_dx(at.row, at.quad, load_dy(at.row, at.quad) * fma(-y, y, vec4(1.0)));
  }
}
