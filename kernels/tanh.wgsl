// tanh, element by element on [rows, COLUMNS]: forward y = tanh(x), backward dx = dy * (1 - y^2) from its output.
//#include "lib/quads.wgsl"

//#if HAS_x
//#tensor x read COLUMNS
//#tensor y write COLUMNS

// Beyond 20 it is 1 to the last bit, and exp(x) of some drivers' tanh soon overflows.
@compute @workgroup_size(64)
fn forward(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = quad_at(linear_workgroup(workgroup, grid) * 64u + lane);
  if (at.row < rows) {
    store_y(at.row, at.quad, tanh(clamp(load_x(at.row, at.quad), vec4(-20.0), vec4(20.0))));
  }
}
//#else
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
//#end
