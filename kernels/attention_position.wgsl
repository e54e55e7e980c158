// Products with the position tables of disentangled attention, per head:
//   scores:          position_scores[t, b] = x_t . table_b                (c2p: query and position key; p2c: the others)
//   input_gradient:  d_input_t += sum_b d_position[t, b] table_b
//   table_gradient:  d_table_b = sum_t d_position[t, b] x_t               (in PARTS parts, summed in order by `reduce`)
// d_position holds, for every token and bucket, the sum of dScore over the tokens whose distance falls in the bucket.
//#include "lib/linear_id.wgsl"

override HEADS: u32;
override FIRST_HEAD: u32;
override GROUP_HEADS: u32;
override RELATIVE_ROWS: u32;
override PARTS: u32;

const HEAD_SIZE = ${HEAD_SIZE}u;
const LANES = ${LANES}u;
const TOKENS = 32u; // tokens that one lane of `scores` multiplies with its row of the table

@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [tokens, heads, head size]
@group(0) @binding(2) var<storage, read> table: array<f32>; // [relative rows, heads, head size]
@group(0) @binding(3) var<storage, read_write> position_scores: array<f32>; // [tokens, group heads, relative rows]
@group(0) @binding(4) var<storage, read> d_position: array<f32>; // [tokens, group heads, relative rows]
@group(0) @binding(5) var<storage, read_write> d_input: array<f32>; // [tokens, heads, head size]
@group(0) @binding(6) var<storage, read_write> parts: array<f32>; // [parts, relative rows, group heads, head size]
@group(0) @binding(7) var<storage, read> parts_in: array<f32>;
@group(0) @binding(8) var<storage, read_write> d_table: array<f32>; // [relative rows, heads, head size]

// Lanes are rows of the table.
@compute @workgroup_size(LANES)
fn scores(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let bucket = min(tile.x * LANES + lane, RELATIVE_ROWS - 1u);
  let head = FIRST_HEAD + tile.y;
  let at = (bucket * HEADS + head) * HEAD_SIZE;
  //#for C in 0..HEAD_SIZE
  let t${C} = table[at + ${C}u];
  //#end
  let end = min((tile.z + 1u) * TOKENS, rows);
  for (var token = tile.z * TOKENS; token < end; token++) {
    let source = (token * HEADS + head) * HEAD_SIZE;
    var sum = 0.0;
    //#for C in 0..HEAD_SIZE
    sum = fma(t${C}, x[source + ${C}u], sum);
    //#end
    if (tile.x * LANES + lane < RELATIVE_ROWS) {
      position_scores[(token * GROUP_HEADS + tile.y) * RELATIVE_ROWS + bucket] = sum;
    }
  }
}

// Lanes are tokens.
@compute @workgroup_size(LANES)
fn input_gradient(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = linear_workgroup(id, grid);
  let local_head = tile % GROUP_HEADS;
  let token = min(tile / GROUP_HEADS * LANES + lane, rows - 1u);
  let head = FIRST_HEAD + local_head;
  let source = (token * GROUP_HEADS + local_head) * RELATIVE_ROWS;
  //#for C in 0..HEAD_SIZE
  var s${C} = 0.0;
  //#end
  for (var bucket = 0u; bucket < RELATIVE_ROWS; bucket++) {
    let d = d_position[source + bucket];
    let at = (bucket * HEADS + head) * HEAD_SIZE;
    //#for C in 0..HEAD_SIZE
    s${C} = fma(d, table[at + ${C}u], s${C});
    //#end
  }
  if (tile / GROUP_HEADS * LANES + lane < rows) {
    let at = (token * HEADS + head) * HEAD_SIZE;
    //#for C in 0..HEAD_SIZE
    d_input[at + ${C}u] += s${C};
    //#end
  }
}

// Lanes are rows of the table; part p sums an equal share of the batch's tokens.
@compute @workgroup_size(LANES)
fn table_gradient(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let bucket = min(tile.x * LANES + lane, RELATIVE_ROWS - 1u);
  let head = FIRST_HEAD + tile.y;
  let share = (rows + PARTS - 1u) / PARTS;
  let end = min((tile.z + 1u) * share, rows);
  //#for C in 0..HEAD_SIZE
  var s${C} = 0.0;
  //#end
  for (var token = tile.z * share; token < end; token++) {
    let d = d_position[(token * GROUP_HEADS + tile.y) * RELATIVE_ROWS + bucket];
    let source = (token * HEADS + head) * HEAD_SIZE;
    //#for C in 0..HEAD_SIZE
    s${C} = fma(d, x[source + ${C}u], s${C});
    //#end
  }
  if (tile.x * LANES + lane < RELATIVE_ROWS) {
    let at = ((tile.z * RELATIVE_ROWS + bucket) * GROUP_HEADS + tile.y) * HEAD_SIZE;
    //#for C in 0..HEAD_SIZE
    parts[at + ${C}u] = s${C};
    //#end
  }
}

// An invocation per element of the group's part of the table.
@compute @workgroup_size(64)
fn reduce(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let width = GROUP_HEADS * HEAD_SIZE;
  let size = RELATIVE_ROWS * width;
  let index = linear_workgroup(id, grid) * 64u + lane;
  if (index >= size) {
    return;
  }
  var sum = 0.0;
  for (var part = 0u; part < PARTS; part++) {
    sum += parts_in[part * size + index];
  }
  d_table[(index / width) * HEADS * HEAD_SIZE + FIRST_HEAD * HEAD_SIZE + index % width] = sum;
}
