// Sums of dScore over the tokens whose distance falls in one bucket, from what attention_tiled.wgsl leaves of every pair.
//#include "lib/attention.wgsl"

override PAIR_STRIDE: u32; // LONGEST rounded up to a multiple of 8

@group(0) @binding(23) var<storage, read> d_scores_in: array<vec4<f32>>; // [tokens of the chunk, group heads, queries]

//#if C2P
// Sums of dScore over the keys of each bucket; a thread per query. Buckets of a row come in order.
@compute @workgroup_size(64)
fn query_buckets(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  let row = tile.x * 64u + lane;
  if (row >= length || !begins_in_chunk(first)) {
    return;
  }
  let at = position_row(first + row, tile.y);
  var before = bucket_of(row, 0u);
  var sum = 0.0;
  for (var column = 0u; column < length; column++) {
    let bucket = bucket_of(row, column);
    if (bucket != before) {
      d_position[at + before] = sum;
      before = bucket;
      sum = 0.0;
    }
    sum += d_scores_in[(((first - chunk_begin() + column) * GROUP_HEADS + tile.y) * PAIR_STRIDE + row) / 4u][row % 4u];
  }
  d_position[at + before] = sum;
}
//#end

//#if P2C
// The same over the queries of each bucket; a thread per key.
@compute @workgroup_size(64)
fn key_buckets(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  let row = tile.x * 64u + lane;
  if (row >= length || !begins_in_chunk(first)) {
    return;
  }
  let at = position_row(first + row, tile.y);
  var before = bucket_of(0u, row);
  var sum = 0.0;
  for (var column = 0u; column < length; column++) {
    let bucket = bucket_of(column, row);
    if (bucket != before) {
      d_position[at + before] = sum;
      before = bucket;
      sum = 0.0;
    }
    sum += d_scores_in[(((first - chunk_begin() + row) * GROUP_HEADS + tile.y) * PAIR_STRIDE + column) / 4u][column % 4u];
  }
  d_position[at + before] = sum;
}
//#end
