// y[column][row] = x[row][column], with rows of y STRIDE elements apart. Past the last row of x, zeros up to a whole quad.
// An invocation moves 4 x 4 elements. ROWS: of x, 0 where it is the batch's number of rows.
//#include "lib/linear_id.wgsl"
//#if ROWS
const rows = ${ROWS}u;
//#else
@group(0) @binding(0) var<uniform> rows: u32;
//#end
//#tensor x read COLUMNS
//#tensor y write STRIDE

@compute @workgroup_size(64)
fn turn(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quads = (rows + 3u) / 4u;
  let index = linear_workgroup(workgroup, grid) * 64u + lane;
  let row_quad = index % quads;
  let column_quad = index / quads;
  if (column_quad >= ${COLUMNS / 4}u) {
    return;
  }
  var block = mat4x4<f32>();
//#for I in 0..4
  if (row_quad * 4u + ${I}u < rows) {
    block[${I}] = load_x(row_quad * 4u + ${I}u, column_quad);
  }
//#end
  let turned = transpose(block);
//#for I in 0..4
  store_y(column_quad * 4u + ${I}u, row_quad, turned[${I}]);
//#end
}
