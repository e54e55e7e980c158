// y[column][row] = x[row][column], with rows of y STRIDE floats apart. Past the last row of x, zeros up to a whole quad.
// An invocation moves 4 x 4 elements.
//#include "lib/linear_id.wgsl"

// ROWS: of x, 0 where it is the batch's number of rows.
override COLUMNS: u32; // a multiple of 4
override STRIDE: u32; // a multiple of 4

//#if ROWS
const rows = ${ROWS}u;
//#else
@group(0) @binding(0) var<uniform> rows: u32;
//#end
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn transpose(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let quads = (rows + 3u) / 4u;
  let index = linear_workgroup(workgroup, grid) * 64u + lane;
  let row_quad = index % quads;
  let column_quad = index / quads;
  if (column_quad >= COLUMNS / 4u) {
    return;
  }
//#for R in 0..4
  var x${R} = vec4(0.0);
  if (row_quad * 4u + ${R}u < rows) {
    x${R} = x[(row_quad * 4u + ${R}u) * (COLUMNS / 4u) + column_quad];
  }
//#end
//#for C in 0..4
  y[(column_quad * 4u + ${C}u) * (STRIDE / 4u) + row_quad] = vec4(x0[${C}], x1[${C}], x2[${C}], x3[${C}]);
//#end
}
