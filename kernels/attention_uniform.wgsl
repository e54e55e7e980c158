// Disentangled attention of one head for adapters that run on the CPU, where reading a uniform buffer costs a tenth of
// reading a storage buffer: of the sequences in one window of tokens, what all lanes read alike (keys and values, or
// queries and dContext) is bound as a uniform. The 8 invocations of a workgroup lie along one sequence, each owns four
// rows. The arithmetic is that of attention_invocation.wgsl, in the same order.
//
// A window holds WINDOW tokens from `number` * STRIDE on; it serves the sequences that begin in its first STRIDE tokens.
override HEADS: u32;
override LONGEST: u32; // the longest sequence that any batch may have
override BUCKETS: u32; // rows of the position tables
override PAIR_STRIDE: u32; // LONGEST rounded up to a multiple of 8
override SCALE: f32;
override STRIDE: u32;

const BLOCKS = ${HEAD_SIZE / 4}u;
const LOWEST = -3.0e38;

//#include "lib/dropout.wgsl"

alias Window = array<vec4<f32>, ${WINDOW * HEAD_SIZE / 4}>;

@group(0) @binding(0) var<uniform> head: u32;
@group(0) @binding(1) var<uniform> number: u32; // of the window
@group(0) @binding(2) var<storage, read> offsets: array<u32>; // [sequences + 1]
//#if DROPOUT
@group(0) @binding(3) var<uniform> dropout: Dropout;
@group(0) @binding(4) var<storage, read> mask: array<u32>; // [tokens, heads, words]
//#end
//#if C2P || P2C
@group(0) @binding(5) var<storage, read> relative_index: array<u32>; // [2 * longest - 1]
//#end
//#if C2P
@group(0) @binding(6) var<storage, read> c2p: array<f32>; // [tokens, buckets]
//#end
//#if P2C
@group(0) @binding(7) var<storage, read> p2c: array<f32>;
//#end
@group(0) @binding(8) var<uniform> keys: Window;
@group(0) @binding(9) var<uniform> values: Window;
@group(0) @binding(10) var<uniform> queries: Window;
@group(0) @binding(11) var<uniform> d_contexts: Window;
@group(0) @binding(12) var<storage, read> query: array<vec4<f32>>; // [tokens, heads, blocks]
@group(0) @binding(13) var<storage, read_write> context: array<vec4<f32>>; // [tokens, heads, blocks]
@group(0) @binding(14) var<storage, read_write> max_and_sum: array<vec2<f32>>; // [tokens, heads]
@group(0) @binding(15) var<storage, read> context_in: array<vec4<f32>>;
@group(0) @binding(16) var<storage, read> max_and_sum_in: array<vec2<f32>>;
@group(0) @binding(17) var<storage, read> d_context: array<vec4<f32>>;
@group(0) @binding(18) var<storage, read_write> d_query: array<vec4<f32>>; // [tokens, blocks], this head's
@group(0) @binding(19) var<storage, read_write> d_key: array<vec4<f32>>; // [tokens, blocks], this head's
@group(0) @binding(20) var<storage, read_write> d_value: array<vec4<f32>>; // [tokens, heads, blocks]
@group(0) @binding(21) var<storage, read_write> d_position: array<f32>; // [tokens, buckets]
@group(0) @binding(22) var<storage, read_write> weights: array<vec4<f32>>; // [keys of the window, queries]: kept probabilities
@group(0) @binding(23) var<storage, read_write> d_scores: array<vec4<f32>>; // [keys of the window, queries]
@group(0) @binding(24) var<storage, read> weights_in: array<vec4<f32>>;
@group(0) @binding(25) var<storage, read> d_scores_in: array<vec4<f32>>;

//#if C2P || P2C
// Distances of pairs past the end of a sequence may lie outside the table.
fn bucket_of(query_position: u32, key_position: u32) -> u32 {
  let index = i32(query_position + LONGEST) - 1 - i32(key_position);
  return relative_index[u32(clamp(index, 0, 2 * i32(LONGEST) - 2))];
}
//#end

// Dropout bits of 32 keys for one query: those from `key_position & ~31` on.
fn kept_keys(token: u32, key_position: u32) -> u32 {
  //#if DROPOUT
  if (dropout.threshold != 0u) {
    return mask[(token * HEADS + head) * ((LONGEST + 31u) / 32u) + key_position / 32u];
  }
  //#end
  return 0xffffffffu;
}

fn keep_scale() -> f32 {
  //#if DROPOUT
  return select(dropout.scale, 1.0, dropout.threshold == 0u);
  //#else
  return 1.0;
  //#end
}

fn total(block: vec4<f32>) -> f32 {
  return (block.x + block.y) + (block.z + block.w);
}

@compute @workgroup_size(8)
fn forward(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  if (first / STRIDE != number || tile.x * 32u >= length) {
    return;
  }
  let row = tile.x * 32u + lane * 4u;
  //#for R in 0..4
  let token${R} = first + min(row + ${R}u, length - 1u);
  let at${R} = (token${R} * HEADS + head) * BLOCKS;
  var highest${R} = LOWEST;
  var sum${R} = 0.0;
  var bits${R} = 0u;
  //#for B in 0..HEAD_SIZE / 4
  let q${R}_${B} = query[at${R} + ${B}u];
  var o${R}_${B} = vec4(0.0);
  //#end
  //#if C2P || P2C
  var bucket${R} = bucket_of(row + ${R}u + 1u, 0u);
  //#end
  //#if C2P
  let c2p_row${R} = token${R} * BUCKETS;
  var c2p${R} = c2p[c2p_row${R} + bucket${R}];
  //#end
  //#end
  for (var column = 0u; column < length; column++) {
    if ((column & 31u) == 0u) {
      //#for R in 0..4
      bits${R} = kept_keys(token${R}, column);
      //#end
    }
    let source = (first - number * STRIDE + column) * BLOCKS;
    //#for B in 0..HEAD_SIZE / 4
    let k${B} = keys[source + ${B}u];
    //#for R in 0..4
    //#if B == 0
    var s${R} = q${R}_0 * k0;
    //#else
    s${R} = fma(q${R}_${B}, k${B}, s${R});
    //#end
    //#end
    //#end
    //#for R in 0..4
    var score${R} = total(s${R});
    //#end
    //#for BACKWARD in 0..1
    //#include "lib/attention_position_terms.wgsl"
    //#end
    //#for R in 0..4
    score${R} *= SCALE;
    let peak${R} = max(highest${R}, score${R});
    let shrink${R} = exp(highest${R} - peak${R});
    let p${R} = exp(score${R} - peak${R});
    let w${R} = select(0.0, p${R}, ((bits${R} >> (column & 31u)) & 1u) != 0u);
    highest${R} = peak${R};
    sum${R} = fma(sum${R}, shrink${R}, p${R});
    //#end
    //#for B in 0..HEAD_SIZE / 4
    let v${B} = values[source + ${B}u];
    //#for R in 0..4
    o${R}_${B} = fma(vec4(w${R}), v${B}, o${R}_${B} * shrink${R});
    //#end
    //#end
  }
  //#for R in 0..4
  if (row + ${R}u < length) {
    let factor = keep_scale() / sum${R};
    //#for B in 0..HEAD_SIZE / 4
    context[at${R} + ${B}u] = o${R}_${B} * factor;
    //#end
    max_and_sum[token${R} * HEADS + head] = vec2(highest${R}, sum${R});
  }
  //#end
}

// The invocation owns queries.
@compute @workgroup_size(8)
fn backward_query(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  if (first / STRIDE != number || tile.x * 32u >= length) {
    return;
  }
  let row = tile.x * 32u + lane * 4u;
  let keep = keep_scale();
  //#for R in 0..4
  let token${R} = first + min(row + ${R}u, length - 1u);
  let at${R} = (token${R} * HEADS + head) * BLOCKS;
  let owned${R} = row + ${R}u < length;
  let highest${R} = max_and_sum_in[token${R} * HEADS + head].x;
  let share${R} = 1.0 / max_and_sum_in[token${R} * HEADS + head].y;
  var product${R} = vec4(0.0);
  var bits${R} = 0u;
  //#for B in 0..HEAD_SIZE / 4
  let q${R}_${B} = query[at${R} + ${B}u];
  let g${R}_${B} = d_context[at${R} + ${B}u];
  product${R} = fma(g${R}_${B}, context_in[at${R} + ${B}u], product${R});
  var d${R}_${B} = vec4(0.0);
  //#end
  let dot_context${R} = total(product${R});
  //#if C2P || P2C
  var bucket${R} = bucket_of(row + ${R}u + 1u, 0u);
  //#end
  //#if C2P
  let c2p_row${R} = token${R} * BUCKETS;
  var c2p${R} = c2p[c2p_row${R} + bucket${R}];
  var bucket_sum${R} = 0.0;
  //#end
  //#end
  for (var column = 0u; column < length; column++) {
    if ((column & 31u) == 0u) {
      //#for R in 0..4
      bits${R} = kept_keys(token${R}, column);
      //#end
    }
    let source = (first - number * STRIDE + column) * BLOCKS;
    //#for B in 0..HEAD_SIZE / 4
    let k${B} = keys[source + ${B}u];
    let v${B} = values[source + ${B}u];
    //#for R in 0..4
    //#if B == 0
    var s${R} = q${R}_0 * k0;
    var t${R} = g${R}_0 * v0;
    //#else
    s${R} = fma(q${R}_${B}, k${B}, s${R});
    t${R} = fma(g${R}_${B}, v${B}, t${R});
    //#end
    //#end
    //#end
    //#for R in 0..4
    var score${R} = total(s${R});
    //#end
    //#for BACKWARD in 1..2
    //#include "lib/attention_position_terms.wgsl"
    //#end
    //#for R in 0..4
    score${R} *= SCALE;
    let kept${R} = owned${R} && ((bits${R} >> (column & 31u)) & 1u) != 0u;
    let factor${R} = select(0.0, keep, kept${R});
    // Of rows past the end, which have another row's maximum, it may be infinite.
    let p${R} = exp(score${R} - highest${R}) * share${R};
    let w${R} = select(0.0, keep * p${R}, kept${R});
    let ds${R} = select(0.0, SCALE * p${R} * fma(factor${R}, total(t${R}), -dot_context${R}), owned${R});
    //#if C2P
    bucket_sum${R} += ds${R};
    //#end
    //#for B in 0..HEAD_SIZE / 4
    d${R}_${B} = fma(vec4(ds${R}), k${B}, d${R}_${B});
    //#end
    //#end
    if (row < length) {
      let pair = ((first - number * STRIDE + column) * PAIR_STRIDE + row) / 4u;
      weights[pair] = vec4(w0, w1, w2, w3);
      d_scores[pair] = vec4(ds0, ds1, ds2, ds3);
    }
  }
  //#for R in 0..4
  if (owned${R}) {
    //#for B in 0..HEAD_SIZE / 4
    d_query[token${R} * BLOCKS + ${B}u] = d${R}_${B};
    //#end
    //#if C2P
    d_position[c2p_row${R} + bucket${R}] = bucket_sum${R};
    //#end
  }
  //#end
}

// The invocation owns keys.
@compute @workgroup_size(8)
fn backward_key(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  if (first / STRIDE != number || tile.x * 32u >= length) {
    return;
  }
  let row = tile.x * 32u + lane * 4u;
  //#for R in 0..4
  let token${R} = first + min(row + ${R}u, length - 1u);
  let pairs${R} = (token${R} - number * STRIDE) * PAIR_STRIDE / 4u;
  //#for B in 0..HEAD_SIZE / 4
  var d${R}_${B} = vec4(0.0);
  var e${R}_${B} = vec4(0.0);
  //#end
  //#if P2C
  var bucket_before${R} = bucket_of(0u, row + ${R}u);
  var bucket_sum${R} = 0.0;
  //#end
  //#end
  //#if P2C
  //#for M in 0..3
  var carried${M} = bucket_of(${M}u, row + 3u);
  //#end
  //#end
  for (var column = 0u; column < length; column += 4u) {
    //#for R in 0..4
    let w${R} = weights_in[pairs${R} + column / 4u];
    let ds${R} = d_scores_in[pairs${R} + column / 4u];
    //#end
    //#for K in 0..4
    {
      // Past the end of the sequence, weights are 0.
      let source = (first - number * STRIDE + min(column + ${K}u, length - 1u)) * BLOCKS;
      //#for B in 0..HEAD_SIZE / 4
      let q${B} = queries[source + ${B}u];
      let g${B} = d_contexts[source + ${B}u];
      //#for R in 0..4
      d${R}_${B} = fma(vec4(ds${R}[${K}]), q${B}, d${R}_${B});
      e${R}_${B} = fma(vec4(w${R}[${K}]), g${B}, e${R}_${B});
      //#end
      //#end
    }
    //#end
    //#if P2C
    // Distances from that of the last row to this column's first query, to that of the first row to its last query.
    //#for M in 0..3
    let bucket${M} = carried${M};
    //#end
    //#for M in 3..7
    let bucket${M} = bucket_of(column + ${M}u, row + 3u);
    //#end
    //#for M in 0..3
    carried${M} = bucket${M + 4};
    //#end
    //#for R in 0..4
    //#for K in 0..4
    if (bucket${3 - R + K} != bucket_before${R} && column + ${K}u < length && row + ${R}u < length) {
      d_position[token${R} * BUCKETS + bucket_before${R}] = bucket_sum${R};
      bucket_before${R} = bucket${3 - R + K};
      bucket_sum${R} = 0.0;
    }
    bucket_sum${R} += ds${R}[${K}];
    //#end
    //#end
    //#end
  }
  //#for R in 0..4
  if (row + ${R}u < length) {
    let at = (token${R} * HEADS + head) * BLOCKS;
    //#for B in 0..HEAD_SIZE / 4
    d_key[token${R} * BLOCKS + ${B}u] = d${R}_${B};
    d_value[at + ${B}u] = e${R}_${B};
    //#end
    //#if P2C
    d_position[token${R} * BUCKETS + bucket_before${R}] = bucket_sum${R};
    //#end
  }
  //#end
}
