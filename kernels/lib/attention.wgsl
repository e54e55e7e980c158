// What the attention kernels share: sizes, tensors and the layout of their transients. Heads are processed in groups of
// GROUP_HEADS from first_head on; `local` counts heads within the group. Heads are read by blocks of VEC elements.
override HEADS: u32;
override GROUP_HEADS: u32;
override LONGEST: u32; // the longest sequence that any batch may have
override BUCKETS: u32; // rows of the position tables, rounded up to a multiple of 4
override SCALE: f32;

const BLOCKS = ${HEAD_SIZE / VEC}u; // of a head
const LOWEST = -3.0e38;

//#include "lib/head_block.wgsl"
//#include "lib/dropout.wgsl"

@group(0) @binding(24) var<uniform> first_head: u32;
//#if DROPOUT
@group(0) @binding(0) var<uniform> dropout: Dropout;
//#end
@group(0) @binding(1) var<storage, read> offsets: array<u32>; // [sequences + 1]
@group(0) @binding(2) var<storage, read> query: array<Block>; // [tokens, heads, blocks]
@group(0) @binding(3) var<storage, read> key: array<Block>;
@group(0) @binding(4) var<storage, read> value: array<Block>;
//#if DROPOUT
@group(0) @binding(5) var<storage, read> mask: array<u32>; // [tokens, group heads, words]
//#end
//#if C2P || P2C
@group(0) @binding(6) var<storage, read> relative_index: array<u32>; // [2 * longest - 1]
//#end
//#if C2P
@group(0) @binding(7) var<storage, read> c2p: array<f32>; // [tokens, group heads, buckets]
//#end
//#if P2C
@group(0) @binding(8) var<storage, read> p2c: array<f32>;
//#end
// forward
@group(0) @binding(9) var<storage, read_write> context: array<Block>; // [tokens, heads, blocks]
@group(0) @binding(10) var<storage, read_write> max_and_sum: array<vec2<f32>>; // [tokens, heads]
// backward
@group(0) @binding(11) var<storage, read> context_in: array<Block>;
@group(0) @binding(12) var<storage, read> max_and_sum_in: array<vec2<f32>>;
@group(0) @binding(13) var<storage, read> d_context: array<Block>;
@group(0) @binding(14) var<storage, read_write> d_query: array<Block>;
@group(0) @binding(15) var<storage, read_write> d_key: array<Block>;
@group(0) @binding(16) var<storage, read_write> d_value: array<Block>;
@group(0) @binding(17) var<storage, read_write> d_position: array<f32>; // [tokens, group heads, buckets]

fn element(token: u32, head: u32) -> u32 {
  return (token * HEADS + head) * BLOCKS;
}

fn position_row(token: u32, local: u32) -> u32 {
  return (token * GROUP_HEADS + local) * BUCKETS;
}

// What the backward keeps of every pair is kept for a chunk of the tokens at a time: for the sequences that begin in it.
// A chunk begins every CHUNK tokens and has room for the longest sequence past its end.
//#if CHUNK
@group(0) @binding(25) var<uniform> chunk: u32;
fn chunk_begin() -> u32 {
  return chunk * ${CHUNK}u;
}
fn begins_in_chunk(first: u32) -> bool {
  return first / ${CHUNK}u == chunk;
}
//#else
fn chunk_begin() -> u32 {
  return 0u;
}
fn begins_in_chunk(first: u32) -> bool {
  return true;
}
//#end

//#if C2P || P2C
// Distances of pairs past the end of a sequence may lie outside the table.
fn bucket_of(query_position: u32, key_position: u32) -> u32 {
  let index = i32(query_position + LONGEST) - 1 - i32(key_position);
  return relative_index[u32(clamp(index, 0, 2 * i32(LONGEST) - 2))];
}
//#end

// Dropout bits of 32 keys for one query: those from `key_position & ~31` on.
fn kept_keys(token: u32, local: u32, key_position: u32) -> u32 {
  //#if DROPOUT
  if (dropout.threshold != 0u) {
    return mask[(token * GROUP_HEADS + local) * ((LONGEST + 31u) / 32u) + key_position / 32u];
  }
  //#end
  return 0xffffffffu;
}

// What kept probabilities are multiplied by.
fn keep_scale() -> f32 {
  //#if DROPOUT
  return select(dropout.scale, 1.0, dropout.threshold == 0u);
  //#else
  return 1.0;
  //#end
}
