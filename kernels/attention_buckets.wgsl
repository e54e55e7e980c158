// Sums of dScore over the tokens whose distance falls in one bucket, from what the backward leaves of every pair, for cores
// that do not walk along rows. An invocation has four queries and walks the keys; with KEYS the other way round.
//#include "lib/attention.wgsl"

@compute @workgroup_size(64)
fn sum(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequence_at(tile.z);
  let row = (tile.x * 64u + lane) * 4u + ${KEYS ? "0u" : "first_query()"};
  if (row >= ${KEYS ? "sequence.length" : "query_end(sequence)"}) {
    return;
  }
  let rows = rows_at(sequence, row, tile.y);
  //#if HAS_units
  let inverse = units.y;
  //#else
  let inverse = 1.0;
  //#end
  var current = BucketSums(${KEYS ? "key_buckets(row)" : "position_at(rows, i32(row) + 1).bucket"}, vec4(0.0));
  for (var column = ${KEYS ? "first_query()" : "0u"}; column < ${KEYS ? "query_end(sequence)" : "sequence.length"}; column++) {
    let distance = ${KEYS ? "" : "-"}(i32(column) - i32(row));
    //#if KEYS
    var d_scores = vec4(0.0);
    //#for R in 0..4
    d_scores[${R}] = inverse * load_d_scores(pair_row(rows.token[${R}], tile.y), (column - first_query()) / 4u)[column % 4u];
    //#end
    //#else
    let d_scores = inverse * load_d_scores(pair_row(sequence.first + column, tile.y), (row - first_query()) / 4u);
    //#end
    add_to_buckets(&current, rows, vec4(bucket_of(distance), current.bucket.xyz), d_scores);
  }
  write_buckets(current, rows);
}
