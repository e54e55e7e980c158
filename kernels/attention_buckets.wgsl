// Sums of dScore over the tokens whose distance falls in one bucket, from what the backward leaves of every pair. An
// invocation has four queries and walks the keys; with KEYS the other way round. Buckets come in order: each sum is written once.
//#include "lib/attention.wgsl"

@group(0) @binding(9) var<storage, read_write> sums: array<f32>; // [tokens, group heads, buckets], zeros at first

@compute @workgroup_size(${LANES})
fn sum(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequence_at(tile.z);
  let row = (tile.x * ${LANES}u + lane) * 4u;
  if (row >= sequence.length) {
    return;
  }
  let rows = rows_at(sequence, row, tile.y);
  let at = (rows.token * GROUP_HEADS + tile.y) * BUCKETS;
  // Of the column before the first.
  //#for R in 0..4
  let start${R} = ${KEYS ? "-1 - i32(row)" : "i32(row) + 1"} ${KEYS ? "-" : "+"} ${R};
  //#end
  var bucket = vec4(bucket_of(start0), bucket_of(start1), bucket_of(start2), bucket_of(start3));
  var so_far = vec4(0.0);
  for (var column = 0u; column < sequence.length; column += 4u) {
    //#if KEYS
    //#for R in 0..4
    let d${R} = load_d_scores(pair_row(rows.token[${R}], tile.y), column / 4u);
    //#end
    //#end
    //#for K in 0..4
    if (column + ${K}u < sequence.length) {
      let distance = ${KEYS ? "" : "-"}(i32(column) + ${K} - i32(row));
      let next = vec4(bucket_of(distance), bucket.xyz);
      //#for R in 0..4
      if (next[${R}] != bucket[${R}]) {
        if (rows.owned[${R}]) {
          sums[at[${R}] + bucket[${R}]] = so_far[${R}];
        }
        so_far[${R}] = 0.0;
      }
      //#end
      bucket = next;
      //#if KEYS
      so_far += vec4(d0[${K}], d1[${K}], d2[${K}], d3[${K}]);
      //#else
      so_far += load_d_scores(pair_row(sequence.first + column + ${K}u, tile.y), row / 4u);
      //#end
    }
    //#end
  }
  //#for R in 0..4
  if (rows.owned[${R}]) {
    sums[at[${R}] + bucket[${R}]] = so_far[${R}];
  }
  //#end
}
