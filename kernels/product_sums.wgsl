// Sums in fixed order around matrix products: of the results of several shares of k, and of the columns of an operand.
//#include "lib/linear_id.wgsl"
//#if SHARES
//#include "lib/product_result.wgsl"
//#end

//#tensor partials read N
//#tensor x read N
//#tensor sums write N

const QUADS = ${(N + 3 - (N + 3) % 4) / 4}u; // of a row, the last one perhaps not full

//#if SHARES
// C(matrix, m, n) = sum over the shares of partials[share][matrix][m][n], finished as a product is.
@compute @workgroup_size(64)
fn add_shares(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = linear_workgroup(workgroup, grid) * 64u + lane;
  let row = index / QUADS;
  if (row < ${BATCH * M}u) {
    var sum = vec4<f32>();
    for (var share = 0u; share < ${SHARES}u; share++) {
      sum += load_partials(share * ${BATCH * M}u + row, index % QUADS);
    }
    finish(row / ${M}u, row % ${M}u, index % QUADS, sum);
  }
}
//#else
@group(0) @binding(0) var<uniform> rows: u32;

// sums[group][column] = sum of x[row][column] over the GROUP rows of a group.
@compute @workgroup_size(8, 8)
fn columns(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < QUADS && id.y * ${GROUP}u < rows) {
    var sum = vec4<f32>();
    for (var row = id.y * ${GROUP}u; row < min((id.y + 1u) * ${GROUP}u, rows); row++) {
      sum += load_x(row, id.x);
    }
    store_sums(id.y, id.x, sum);
  }
}
//#end
