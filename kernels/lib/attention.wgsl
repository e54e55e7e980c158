// What the attention kernels share: sizes, tensors and the layout of their transients. Heads are processed in groups of
// GROUP_HEADS from FIRST_HEAD on; `local_head` counts within the group.
override HEADS: u32;
override FIRST_HEAD: u32;
override GROUP_HEADS: u32;
override RELATIVE_ROWS: u32;
override LONGEST: u32; // the longest sequence that any batch may have
override SCALE: f32;

const HEAD_SIZE = ${HEAD_SIZE}u;

//#include "lib/dropout.wgsl"

//#if DROPOUT
@group(0) @binding(0) var<uniform> dropout: Dropout;
//#end
@group(0) @binding(1) var<storage, read> offsets: array<u32>; // [sequences + 1]
@group(0) @binding(2) var<storage, read> query: array<f32>; // [tokens, heads, head size]
@group(0) @binding(3) var<storage, read> key: array<f32>;
@group(0) @binding(4) var<storage, read> value: array<f32>;
//#if DROPOUT
@group(0) @binding(5) var<storage, read> mask: array<u32>; // [tokens, group heads, words]
//#end
//#if C2P || P2C
@group(0) @binding(6) var<storage, read> relative_index: array<u32>; // [2 * longest - 1]
//#end
//#if C2P
@group(0) @binding(7) var<storage, read> c2p: array<f32>; // [tokens, group heads, relative rows]
//#end
//#if P2C
@group(0) @binding(8) var<storage, read> p2c: array<f32>;
//#end
// forward
@group(0) @binding(9) var<storage, read_write> context: array<f32>; // [tokens, heads, head size]
@group(0) @binding(10) var<storage, read_write> log_sum_exp: array<f32>; // [tokens, heads]
// backward
@group(0) @binding(11) var<storage, read> context_in: array<f32>;
@group(0) @binding(12) var<storage, read> log_sum_exp_in: array<f32>;
@group(0) @binding(13) var<storage, read> d_context: array<f32>;
@group(0) @binding(14) var<storage, read_write> dot_contexts: array<f32>; // [tokens, heads]
@group(0) @binding(15) var<storage, read> dot_contexts_in: array<f32>;
@group(0) @binding(16) var<storage, read_write> d_query: array<f32>;
@group(0) @binding(17) var<storage, read_write> d_key: array<f32>;
@group(0) @binding(18) var<storage, read_write> d_value: array<f32>;
@group(0) @binding(19) var<storage, read_write> d_position: array<f32>; // [tokens, group heads, relative rows]

fn element(token: u32, head: u32) -> u32 {
  return (token * HEADS + head) * HEAD_SIZE;
}

fn position_score(token: u32, local_head: u32) -> u32 {
  return (token * GROUP_HEADS + local_head) * RELATIVE_ROWS;
}

// Dropout bits of 32 keys for one query: those from `key_position & ~31` on.
fn kept_keys(token: u32, local_head: u32, key_position: u32) -> u32 {
  //#if DROPOUT
  if (dropout.threshold != 0u) {
    return mask[(token * GROUP_HEADS + local_head) * ((LONGEST + 31u) / 32u) + key_position / 32u];
  }
  //#end
  return 0xffffffffu;
}

//#if C2P || P2C
fn bucket_of(query_position: u32, key_position: u32) -> u32 {
  return relative_index[query_position + LONGEST - 1u - key_position];
}
//#end

// What kept probabilities are multiplied by.
fn keep_scale() -> f32 {
  //#if DROPOUT
  return select(dropout.scale, 1.0, dropout.threshold == 0u);
  //#else
  return 1.0;
  //#end
}
