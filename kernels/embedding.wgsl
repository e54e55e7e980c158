// Embedding [rows, COLUMNS] = dropout(LayerNorm(word[id] + position[p] + type[k])), the word table in shards of whole
// rows: one dispatch per shard, which takes the tokens whose id lies in it. Tables and their gradients are f32. A
// sequence's first token is at row FIRST_POSITION of the position table, the others follow.
//   sum                word[id] + position[p] + type[k] alone
//   forward            also keeps x̂ and rstd; LayerNorm's backward (layer_norm.wgsl) then gives dz
//   word_gradient      gradient[id] += sum of dz over the tokens of that id, in order; one row per distinct id
//   position_gradient  gradient[p] += sum of dz over the sequences that reach position p, in order
//   type_partials      sums of dz over the tokens of each type in groups of GROUP tokens; reduce.wgsl adds the groups

//#if HAS_word
//#if HAS_sum_of_rows
//#include "lib/quads.wgsl"
//#else
//#if HAS_dropout
//#include "lib/dropout_quad.wgsl"
//#end
//#include "lib/normalise_row.wgsl" OUTPUT_DROPOUT=HAS_dropout AGAIN=0
//#end

override ROW_BEGIN: u32;
override ROW_COUNT: u32;

@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> position: array<u32>;
@group(0) @binding(3) var<storage, read> type_ids: array<u32>;
//#tensor word read COLUMNS
//#if HAS_position_table
override FIRST_POSITION: u32;
//#end
//#tensor position_table read COLUMNS
//#tensor type_table read COLUMNS

fn summand(row: u32, quad: u32) -> vec4<f32> {
  var z = load_word(ids[row] - ROW_BEGIN, quad);
//#if HAS_position_table
  z += load_position_table(FIRST_POSITION + position[row], quad);
//#end
//#if HAS_type_table
  z += load_type_table(type_ids[row], quad);
//#end
  return z;
}

fn in_shard(row: u32) -> bool {
  return ids[row] >= ROW_BEGIN && ids[row] - ROW_BEGIN < ROW_COUNT;
}

//#if HAS_sum_of_rows
//#tensor sum_of_rows write COLUMNS

@compute @workgroup_size(64)
fn sum(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let to = quad_at(linear_workgroup(group, grid) * 64u + local);
  if (to.row < rows && in_shard(to.row)) {
    store_sum_of_rows(to.row, to.quad, summand(to.row, to.quad));
  }
}
//#else
@compute @workgroup_size(${THREADS})
fn forward(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_of(group, grid, local);
  if (row < rows && in_shard(row)) {
    normalise_row(row, lane_of(local));
  }
}
//#end
//#else
//#include "lib/quads.wgsl"

//#tensor dz read COLUMNS
//#tensor gradient update COLUMNS

//#if HAS_token_order
override ROW_BEGIN: u32;
override ROW_COUNT: u32;

@group(0) @binding(1) var<storage, read> sorted_ids: array<u32>;
@group(0) @binding(2) var<storage, read> segment_start: array<u32>;
@group(0) @binding(3) var<storage, read> token_order: array<u32>;

// `rows` counts the distinct ids.
@compute @workgroup_size(32)
fn word_gradient(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let segment = quad_of(linear_workgroup(group, grid), local);
  if (segment.row >= rows || segment.quad >= QUADS) {
    return;
  }
  let id = sorted_ids[segment.row];
  if (id < ROW_BEGIN || id - ROW_BEGIN >= ROW_COUNT) {
    return;
  }
  let last = segment_start[segment.row + 1u];
  var at = segment_start[segment.row];
  var sum = vec4<f32>();
  // Four at a time, so that no load waits for the one before.
  for (; at + 4u <= last; at += 4u) {
//#for I in 0..4
    let d${I} = load_dz(token_order[at + ${I}u], segment.quad);
//#end
    sum += (d0 + d1) + (d2 + d3);
  }
  for (; at < last; at++) {
    sum += load_dz(token_order[at], segment.quad);
  }
  store_gradient(id - ROW_BEGIN, segment.quad, load_gradient(id - ROW_BEGIN, segment.quad) + sum);
}
//#end

//#if HAS_offsets
override POSITIONS: u32;
override FIRST_POSITION: u32;

@group(0) @binding(5) var<storage, read> offsets: array<u32>;

// `rows` counts the sequences.
@compute @workgroup_size(32)
fn position_gradient(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let place = quad_of(linear_workgroup(group, grid), local);
  if (place.row < FIRST_POSITION || place.row >= POSITIONS || place.quad >= QUADS) {
    return;
  }
  var sum = vec4<f32>();
  var begin = offsets[0];
  for (var sequence = 0u; sequence < rows; sequence++) {
    let end = offsets[sequence + 1u];
    if (place.row - FIRST_POSITION < end - begin) {
      sum += load_dz(begin + place.row - FIRST_POSITION, place.quad);
    }
    begin = end;
  }
  store_gradient(place.row, place.quad, load_gradient(place.row, place.quad) + sum);
}
//#end

//#if HAS_partials
@group(0) @binding(6) var<storage, read> type_ids: array<u32>;
//#tensor partials write COLUMNS

// One invocation per quad of columns and group of tokens, for all types.
@compute @workgroup_size(32)
fn type_partials(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let group = quad_of(linear_workgroup(workgroup, grid), local);
  let first = group.row * ${GROUP}u;
  if (first >= rows || group.quad >= QUADS) {
    return;
  }
  var sums = array<vec4<f32>, ${TYPES}>();
  for (var row = first; row < min(first + ${GROUP}u, rows); row++) {
    let value = load_dz(row, group.quad);
    let kind = type_ids[row];
//#for K in 0..TYPES
    sums[${K}] += select(vec4<f32>(), value, kind == ${K}u);
//#end
  }
//#for K in 0..TYPES
  store_partials(group.row * ${TYPES}u + ${K}u, group.quad, sums[${K}]);
//#end
}
//#end
//#end
