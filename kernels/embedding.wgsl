// Embedding f32 [rows, COLUMNS] = dropout(LayerNorm(word[id] + position[p] + type[k])), the word table in shards of whole
// rows: one dispatch per shard, which takes the tokens whose id lies in it.
//   forward            also keeps x̂ and rstd; LayerNorm's backward (layer_norm.wgsl) then gives dz
//   word_gradient      gradient[id] += sum of dz over the tokens of that id, in order; one row per distinct id
//   position_gradient  gradient[p] += sum of dz over the sequences that reach position p, in order
//   type_partials      sums of dz over the tokens of each type in groups of GROUP tokens; reduce.wgsl adds the groups
//#include "lib/block.wgsl"

@group(0) @binding(0) var<uniform> rows: u32;

//#if FORWARD
//#include "lib/row.wgsl"
//#if OUTPUT_DROPOUT
//#include "lib/dropout_block.wgsl"
//#end

override ROW_BEGIN: u32;
override ROW_COUNT: u32;

@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read> word: array<Block>;
@group(0) @binding(4) var<storage, read> position: array<u32>;
@group(0) @binding(5) var<storage, read> positionTable: array<Block>;
@group(0) @binding(6) var<storage, read> typeIds: array<u32>;
@group(0) @binding(7) var<storage, read> typeTable: array<Block>;

//#include "lib/normalise_row.wgsl"

fn summand(row: u32, block: u32) -> Block {
  var z = word[(ids[row] - ROW_BEGIN) * BLOCKS + block];
//#if POSITION
  z += positionTable[position[row] * BLOCKS + block];
//#end
//#if TYPE
  z += typeTable[typeIds[row] * BLOCKS + block];
//#end
  return z;
}

@compute @workgroup_size(${LANES > 1 ? LANES : 8})
fn forward(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_of(group, grid, local);
  if (row < rows && ids[row] >= ROW_BEGIN && ids[row] - ROW_BEGIN < ROW_COUNT) {
    normalise_row(row, lane_of(local));
  }
}
//#else
//#include "lib/linear_id.wgsl"

const TILES = (BLOCKS + 31u) / 32u;

@group(0) @binding(1) var<storage, read> dz: array<Block>;
@group(0) @binding(2) var<storage, read_write> gradient: array<Block>;

@group(0) @binding(3) var<storage, read> sortedIds: array<u32>;
@group(0) @binding(4) var<storage, read> segmentStart: array<u32>;
@group(0) @binding(5) var<storage, read> tokenOrder: array<u32>;

//#if WORD
override ROW_BEGIN: u32;
override ROW_COUNT: u32;

// `rows` counts the distinct ids.
@compute @workgroup_size(32)
fn word_gradient(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = linear_workgroup(group, grid);
  let segment = index / TILES;
  let block = index % TILES * 32u + local;
  if (segment >= rows || block >= BLOCKS) {
    return;
  }
  let id = sortedIds[segment];
  if (id < ROW_BEGIN || id - ROW_BEGIN >= ROW_COUNT) {
    return;
  }
  let last = segmentStart[segment + 1u];
  var at = segmentStart[segment];
  var sum = Block();
  // Four at a time, so that no load waits for the one before.
  for (; at + 4u <= last; at += 4u) {
//#for I in 0..4
    let d${I} = dz[tokenOrder[at + ${I}u] * BLOCKS + block];
//#end
    sum += (d0 + d1) + (d2 + d3);
  }
  for (; at < last; at++) {
    sum += dz[tokenOrder[at] * BLOCKS + block];
  }
  gradient[(id - ROW_BEGIN) * BLOCKS + block] += sum;
}
//#end

@group(0) @binding(6) var<storage, read> position: array<u32>;
@group(0) @binding(7) var<storage, read> offsets: array<u32>;

//#if POSITION
override POSITIONS: u32;

// `rows` counts the sequences. Positions within a sequence are consecutive, and all sequences begin at the same one.
@compute @workgroup_size(32)
fn position_gradient(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = linear_workgroup(group, grid);
  let place = index / TILES;
  let block = index % TILES * 32u + local;
  if (place >= POSITIONS || block >= BLOCKS) {
    return;
  }
  let first = position[0];
  if (place < first) {
    return;
  }
  var sum = Block();
  var begin = offsets[0];
  for (var sequence = 0u; sequence < rows; sequence++) {
    let end = offsets[sequence + 1u];
    if (place - first < end - begin) {
      sum += dz[(begin + place - first) * BLOCKS + block];
    }
    begin = end;
  }
  gradient[place * BLOCKS + block] += sum;
}
//#end

@group(0) @binding(8) var<storage, read> typeIds: array<u32>;
@group(0) @binding(9) var<storage, read_write> partials: array<Block>;

//#if TYPES > 0
const GROUP = ${GROUP}u;

// One invocation per block of columns and group of tokens, for all types.
@compute @workgroup_size(32)
fn type_partials(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let index = linear_workgroup(group, grid);
  let block = index % TILES * 32u + local;
  let first = index / TILES * GROUP;
  if (first >= rows || block >= BLOCKS) {
    return;
  }
  var sums = array<Block, ${TYPES}>();
  for (var row = first; row < min(first + GROUP, rows); row++) {
    let value = dz[row * BLOCKS + block];
    let kind = typeIds[row];
//#for K in 0..TYPES
    sums[${K}] += select(Block(), value, kind == ${K}u);
//#end
  }
//#for K in 0..TYPES
  partials[(index / TILES * ${TYPES}u + ${K}u) * BLOCKS + block] = sums[${K}];
//#end
}
//#end
//#end
