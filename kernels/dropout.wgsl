// Elementwise on [rows, COLUMNS], one invocation per quad: y = x * factor where dropout is bound, which is its own
// backward (lib/dropout.wgsl), else y = x; added to y if ACCUMULATE.
//#include "lib/quads.wgsl"
//#if HAS_dropout
//#include "lib/dropout_quad.wgsl"
//#end

//#tensor x read COLUMNS
//#tensor y update COLUMNS

@compute @workgroup_size(64)
fn apply(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = quad_at(linear_workgroup(group, grid) * 64u + local);
  if (at.row >= rows) {
    return;
  }
  var value = load_x(at.row, at.quad);
//#if HAS_dropout
  value *= dropout_at(at.row, at.quad);
//#end
//#if ACCUMULATE
  value += load_y(at.row, at.quad);
//#end
  store_y(at.row, at.quad, value);
}
