// Sums in fixed order: partial products of a split matrix product, and columns of a matrix.
//#include "lib/linear_id.wgsl"

override SIZE: u32; // elements of one partial result
override SLICES: u32;

@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> total: array<f32>;
@group(0) @binding(2) var<storage, read> matrix: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<uniform> rows: u32;

// total[i] += sum over s of partials[s][i]
@compute @workgroup_size(64)
fn add_partials(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = linear_workgroup(workgroup, grid) * 64u + lane;
  if (index < SIZE) {
    var sum = 0.0;
    for (var slice = 0u; slice < SLICES; slice++) {
      sum += partials[slice * SIZE + index];
    }
    total[index] += sum;
  }
}

// sums[s][n] = sum of matrix[row][n] over the rows of slice s
@compute @workgroup_size(64)
fn column_sums(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = workgroup.x * 64u + lane;
  let share = (rows + SLICES - 1u) / SLICES;
  let begin = min(workgroup.y * share, rows);
  let end = min(begin + share, rows);
  if (column < SIZE) {
    var sum = 0.0;
    for (var row = begin; row < end; row++) {
      sum += matrix[row * SIZE + column];
    }
    sums[workgroup.y * SIZE + column] = sum;
  }
}
