// Elementwise on [rows, COLUMNS]: dropout, y = x * factor, which is its own backward (lib/dropout.wgsl), and accumulate,
// y += x. One invocation per quad.
//#include "lib/quads.wgsl"
//#include "lib/dropout_quad.wgsl"

//#tensor x read COLUMNS
//#tensor y update COLUMNS

@compute @workgroup_size(64)
fn apply(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = quad_at(linear_workgroup(group, grid) * 64u + local);
  if (at.row < rows) {
    store_y(at.row, at.quad, load_x(at.row, at.quad) * dropout_at(at.row, at.quad));
  }
}

@compute @workgroup_size(64)
fn accumulate(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = quad_at(linear_workgroup(group, grid) * 64u + local);
  if (at.row < rows) {
    store_y(at.row, at.quad, load_y(at.row, at.quad) + load_x(at.row, at.quad));
  }
}
