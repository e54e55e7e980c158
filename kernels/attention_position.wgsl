// Products with the position tables of disentangled attention, per head:
//   scores:          position_scores[t, b] = x_t . table_b                (c2p: query and position key; p2c: the others)
//   input_gradient:  d_input_t += sum_b d_position[t, b] table_b
//   table_gradient:  d_table_b = sum_t d_position[t, b] x_t               (in PARTS parts, summed in order by `reduce`)
// d_position holds, for every token and bucket, the sum of dScore over the tokens whose distance falls in the bucket.
// Every invocation keeps a block of results in registers.
//#include "lib/linear_id.wgsl"
//#include "lib/head_block.wgsl"

override HEADS: u32;
override GROUP_HEADS: u32;
override RELATIVE_ROWS: u32;
override BUCKETS: u32; // RELATIVE_ROWS rounded up to a multiple of 4
override PARTS: u32;

const BLOCKS = ${HEAD_SIZE / VEC}u; // of a head
const COLUMNS = ${COLUMN_BLOCKS}u; // blocks that one invocation of a gradient computes, a divisor of BLOCKS
const LANES = ${LANES}u;

@group(0) @binding(9) var<uniform> first_head: u32;
@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<storage, read> x: array<Block>; // [tokens, heads, blocks]
@group(0) @binding(2) var<storage, read> table: array<Block>; // [relative rows, heads, blocks]
@group(0) @binding(3) var<storage, read_write> position_scores: array<vec4<f32>>; // [tokens, group heads, buckets]
@group(0) @binding(4) var<storage, read> d_position: array<vec4<f32>>; // [tokens, group heads, buckets]
@group(0) @binding(5) var<storage, read_write> d_input: array<Block>; // [tokens, heads, blocks]
@group(0) @binding(6) var<storage, read_write> parts: array<Block>; // [parts, relative rows, group heads, blocks]
@group(0) @binding(7) var<storage, read> parts_in: array<Block>;
@group(0) @binding(8) var<storage, read_write> d_table: array<Block>; // [relative rows, heads, blocks]

// Four buckets by eight tokens an invocation; neighbouring lanes are neighbouring buckets.
@compute @workgroup_size(LANES)
fn scores(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = linear_workgroup(id, grid) * LANES + lane;
  let quad = index % (BUCKETS / 4u);
  let local = index / (BUCKETS / 4u) % GROUP_HEADS;
  let token = index / (BUCKETS / 4u) / GROUP_HEADS * 8u;
  if (token >= rows) {
    return;
  }
  let head = first_head + local;
  //#for R in 0..8
  let x_at${R} = (min(token + ${R}u, rows - 1u) * HEADS + head) * BLOCKS;
  //#for C in 0..4
  var s${R}_${C} = Block();
  //#end
  //#end
  //#for C in 0..4
  let table_at${C} = (min(quad * 4u + ${C}u, RELATIVE_ROWS - 1u) * HEADS + head) * BLOCKS;
  //#end
  for (var block = 0u; block < BLOCKS; block++) {
    //#for C in 0..4
    let t${C} = table[table_at${C} + block];
    //#end
    //#for R in 0..8
    let x${R} = x[x_at${R} + block];
    //#for C in 0..4
    s${R}_${C} = fma(x${R}, t${C}, s${R}_${C});
    //#end
    //#end
  }
  //#for R in 0..8
  if (token + ${R}u < rows) {
    position_scores[((token + ${R}u) * GROUP_HEADS + local) * (BUCKETS / 4u) + quad] =
      vec4(total(s${R}_0), total(s${R}_1), total(s${R}_2), total(s${R}_3));
  }
  //#end
}

// Four tokens by COLUMNS blocks an invocation.
@compute @workgroup_size(LANES)
fn input_gradient(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = linear_workgroup(id, grid) * LANES + lane;
  let column = index % (BLOCKS / COLUMNS) * COLUMNS;
  let local = index / (BLOCKS / COLUMNS) % GROUP_HEADS;
  let token = index / (BLOCKS / COLUMNS) / GROUP_HEADS * 4u;
  if (token >= rows) {
    return;
  }
  let head = first_head + local;
  //#for R in 0..4
  let d_at${R} = (min(token + ${R}u, rows - 1u) * GROUP_HEADS + local) * (BUCKETS / 4u);
  //#for C in 0..COLUMN_BLOCKS
  var s${R}_${C} = Block();
  //#end
  //#end
  for (var quad = 0u; quad < BUCKETS / 4u; quad++) {
    //#for R in 0..4
    let d${R} = d_position[d_at${R} + quad];
    //#end
    //#for K in 0..4
    {
      // Buckets past the table are 0.
      let at = (min(quad * 4u + ${K}u, RELATIVE_ROWS - 1u) * HEADS + head) * BLOCKS + column;
      //#for C in 0..COLUMN_BLOCKS
      let t${C} = table[at + ${C}u];
      //#for R in 0..4
      s${R}_${C} = fma(Block(d${R}[${K}]), t${C}, s${R}_${C});
      //#end
      //#end
    }
    //#end
  }
  //#for R in 0..4
  if (token + ${R}u < rows) {
    let at = ((token + ${R}u) * HEADS + head) * BLOCKS + column;
    //#for C in 0..COLUMN_BLOCKS
    d_input[at + ${C}u] += s${R}_${C};
    //#end
  }
  //#end
}

// Four buckets by COLUMNS blocks an invocation; part p sums an equal share of the batch's tokens.
@compute @workgroup_size(LANES)
fn table_gradient(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = linear_workgroup(id, grid) * LANES + lane;
  let column = index % (BLOCKS / COLUMNS) * COLUMNS;
  let quad = index / (BLOCKS / COLUMNS) % (BUCKETS / 4u);
  let local = index / (BLOCKS / COLUMNS) / (BUCKETS / 4u) % GROUP_HEADS;
  let part = index / (BLOCKS / COLUMNS) / (BUCKETS / 4u) / GROUP_HEADS;
  if (part >= PARTS) {
    return;
  }
  let head = first_head + local;
  let share = (rows + PARTS - 1u) / PARTS;
  let end = min((part + 1u) * share, rows);
  //#for R in 0..4
  //#for C in 0..COLUMN_BLOCKS
  var s${R}_${C} = Block();
  //#end
  //#end
  for (var token = part * share; token < end; token++) {
    let d = d_position[(token * GROUP_HEADS + local) * (BUCKETS / 4u) + quad];
    let at = (token * HEADS + head) * BLOCKS + column;
    //#for C in 0..COLUMN_BLOCKS
    let x${C} = x[at + ${C}u];
    //#for R in 0..4
    s${R}_${C} = fma(Block(d[${R}]), x${C}, s${R}_${C});
    //#end
    //#end
  }
  //#for R in 0..4
  if (quad * 4u + ${R}u < RELATIVE_ROWS) {
    let at = ((part * RELATIVE_ROWS + quad * 4u + ${R}u) * GROUP_HEADS + local) * BLOCKS + column;
    //#for C in 0..COLUMN_BLOCKS
    parts[at + ${C}u] = s${R}_${C};
    //#end
  }
  //#end
}

// An invocation per block of the group's part of the table.
@compute @workgroup_size(64)
fn reduce(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let width = GROUP_HEADS * BLOCKS;
  let size = RELATIVE_ROWS * width;
  let index = linear_workgroup(id, grid) * 64u + lane;
  if (index >= size) {
    return;
  }
  var sum = Block();
  for (var part = 0u; part < PARTS; part++) {
    sum += parts_in[part * size + index];
  }
  d_table[(index / width) * HEADS * BLOCKS + first_head * BLOCKS + index % width] = sum;
}
