// y [ROWS, COLUMNS] from codes of BITS bits, the first of a word in its lowest, and scales: one invocation per quad.
//   BITS 8  y = code * scale of the row, code from -127 to 127
//   BITS 4  y = levels[code] * scale of the BLOCK elements, one after another, that it is in
//#include "lib/linear_id.wgsl"

@group(0) @binding(0) var<storage, read> codes: array<u32>;
@group(0) @binding(1) var<storage, read> scales: array<f32>;
//#if BITS == 4
@group(0) @binding(2) var<uniform> levels: array<vec4<f32>, 4>;
//#end
//#tensor y write COLUMNS

const QUADS = ${(COLUMNS + 3 - (COLUMNS + 3) % 4) / 4}u; // of a row, the last one perhaps not full

// Element `index` of the matrix, 0 past its end.
fn value(row: u32, index: u32) -> f32 {
//#if COLUMNS % 4
  if (index >= ${ROWS * COLUMNS}u) {
    return 0.0;
  }
//#end
//#if BITS == 8
  return f32(extractBits(i32(codes[index / 4u]), index % 4u * 8u, 8u)) * scales[row];
//#else
  let code = extractBits(codes[index / 8u], index % 8u * 4u, 4u);
  return levels[code / 4u][code % 4u] * scales[index / ${BLOCK}u];
//#end
}

@compute @workgroup_size(64)
fn expand(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = linear_workgroup(group, grid) * 64u + local;
  let row = at / QUADS;
  if (row < ${ROWS}u) {
    let first = row * ${COLUMNS}u + at % QUADS * 4u;
    store_y(row, at % QUADS, vec4(value(row, first), value(row, first + 1u), value(row, first + 2u), value(row, first + 3u)));
  }
}
