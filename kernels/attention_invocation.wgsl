// Disentangled attention without workgroup memory: an invocation owns ROWS rows of one head and walks the sequence.
//
//   score[i,j] = scale * (q_i . k_j + c2p[i, b] + p2c[j, b]),  b = relative_index of distance i - j
//   probability = exp(score - max[i]) / sum[i],  context_i = sum_j kept[i,j] probability[i,j] v_j
// The maximum and the sum are kept apart: in max + log(sum), a large maximum would take the digits of the sum.
//
// c2p and p2c are the products with the position tables made by attention_position.wgsl, kept the bits of
// attention_mask.wgsl. He et al., "DeBERTa: Decoding-enhanced BERT with Disentangled Attention", ICLR 2021, section 3.1.
// The backward of queries leaves what the backward of keys needs of every pair, transposed:
// [tokens of the chunk, group heads, queries].
//#include "lib/attention.wgsl"

const LANES = ${LANES}u;
const ROWS = ${ROWS}u;
override PAIR_STRIDE: u32; // LONGEST rounded up to a multiple of 8

//#if PAIR_VEC == 4
alias Pairs = vec4<f32>;
//#else
alias Pairs = f32;
//#end
@group(0) @binding(20) var<storage, read_write> weights: array<Pairs>; // kept probabilities
@group(0) @binding(21) var<storage, read_write> d_scores: array<Pairs>;
@group(0) @binding(22) var<storage, read> weights_in: array<vec4<f32>>;
@group(0) @binding(23) var<storage, read> d_scores_in: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = tile.x * LANES + lane;
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  let row = id / GROUP_HEADS * ROWS;
  let local = id % GROUP_HEADS;
  let head = first_head + local;
  if (row >= length) {
    return;
  }
  //#for R in 0..ROWS
  let token${R} = first + min(row + ${R}u, length - 1u);
  let at${R} = element(token${R}, head);
  var highest${R} = LOWEST;
  var sum${R} = 0.0;
  var bits${R} = 0u;
  //#for B in 0..HEAD_SIZE / VEC
  let q${R}_${B} = query[at${R} + ${B}u];
  var o${R}_${B} = Block();
  //#end
  //#if C2P || P2C
  var bucket${R} = bucket_of(row + ${R}u + 1u, 0u);
  //#end
  //#end
  for (var column = 0u; column < length; column++) {
    if ((column & 31u) == 0u) {
      //#for R in 0..ROWS
      bits${R} = kept_keys(token${R}, local, column);
      //#end
    }
    let source = element(first + column, head);
    //#for B in 0..HEAD_SIZE / VEC
    let k${B} = key[source + ${B}u];
    let v${B} = value[source + ${B}u];
    //#end
    //#if C2P || P2C
    // The distance of a row to this column is that of the row before to the column before.
    //#for R in 1 - ROWS..0
    bucket${-R} = bucket${-R - 1};
    //#end
    bucket0 = bucket_of(row, column);
    //#end
    //#for R in 0..ROWS
    var s${R} = q${R}_0 * k0;
    //#for B in 1..HEAD_SIZE / VEC
    s${R} = fma(q${R}_${B}, k${B}, s${R});
    //#end
    var score${R} = total(s${R});
    //#if C2P
    score${R} += c2p[position_row(token${R}, local) + bucket${R}];
    //#end
    //#if P2C
    score${R} += p2c[position_row(first + column, local) + bucket${R}];
    //#end
    score${R} *= SCALE;
    let peak${R} = max(highest${R}, score${R});
    let shrink${R} = exp(highest${R} - peak${R});
    let p${R} = exp(score${R} - peak${R});
    let w${R} = select(0.0, p${R}, ((bits${R} >> (column & 31u)) & 1u) != 0u);
    highest${R} = peak${R};
    sum${R} = fma(sum${R}, shrink${R}, p${R});
    //#for B in 0..HEAD_SIZE / VEC
    o${R}_${B} = fma(Block(w${R}), v${B}, o${R}_${B} * shrink${R});
    //#end
    //#end
  }
  //#for R in 0..ROWS
  if (row + ${R}u < length) {
    let factor = keep_scale() / sum${R};
    //#for B in 0..HEAD_SIZE / VEC
    context[at${R} + ${B}u] = o${R}_${B} * factor;
    //#end
    max_and_sum[token${R} * HEADS + head] = vec2(highest${R}, sum${R});
  }
  //#end
}

// The invocation owns queries: dQuery, dScore and kept probability of every pair, sums of dScore over the keys of each
// bucket.
@compute @workgroup_size(LANES)
fn backward_query(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = tile.x * LANES + lane;
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  let row = id / GROUP_HEADS * ROWS;
  let local = id % GROUP_HEADS;
  let head = first_head + local;
  if (row >= length || !begins_in_chunk(first)) {
    return;
  }
  let keep = keep_scale();
  //#for R in 0..ROWS
  let token${R} = first + min(row + ${R}u, length - 1u);
  let at${R} = element(token${R}, head);
  let owned${R} = row + ${R}u < length;
  let highest${R} = max_and_sum_in[token${R} * HEADS + head].x;
  let share${R} = 1.0 / max_and_sum_in[token${R} * HEADS + head].y;
  var product${R} = Block();
  var bits${R} = 0u;
  //#for B in 0..HEAD_SIZE / VEC
  let q${R}_${B} = query[at${R} + ${B}u];
  let g${R}_${B} = d_context[at${R} + ${B}u];
  product${R} = fma(g${R}_${B}, context_in[at${R} + ${B}u], product${R});
  var d${R}_${B} = Block();
  //#end
  let dot_context${R} = total(product${R});
  //#if C2P || P2C
  var bucket${R} = bucket_of(row + ${R}u + 1u, 0u);
  //#end
  //#if C2P
  var bucket_before${R} = bucket_of(row + ${R}u, 0u);
  var bucket_sum${R} = 0.0;
  //#end
  //#end
  for (var column = 0u; column < length; column++) {
    if ((column & 31u) == 0u) {
      //#for R in 0..ROWS
      bits${R} = kept_keys(token${R}, local, column);
      //#end
    }
    let source = element(first + column, head);
    //#for B in 0..HEAD_SIZE / VEC
    let k${B} = key[source + ${B}u];
    let v${B} = value[source + ${B}u];
    //#end
    //#if C2P || P2C
    //#for R in 1 - ROWS..0
    bucket${-R} = bucket${-R - 1};
    //#end
    bucket0 = bucket_of(row, column);
    //#end
    //#for R in 0..ROWS
    var s${R} = q${R}_0 * k0;
    var t${R} = g${R}_0 * v0;
    //#for B in 1..HEAD_SIZE / VEC
    s${R} = fma(q${R}_${B}, k${B}, s${R});
    t${R} = fma(g${R}_${B}, v${B}, t${R});
    //#end
    var score${R} = total(s${R});
    //#if C2P
    score${R} += c2p[position_row(token${R}, local) + bucket${R}];
    //#end
    //#if P2C
    score${R} += p2c[position_row(first + column, local) + bucket${R}];
    //#end
    score${R} *= SCALE;
    let kept${R} = owned${R} && ((bits${R} >> (column & 31u)) & 1u) != 0u;
    let factor${R} = select(0.0, keep, kept${R});
    // Of rows past the end, which have another row's maximum, it may be infinite.
    let p${R} = exp(score${R} - highest${R}) * share${R};
    let w${R} = select(0.0, keep * p${R}, kept${R});
    let ds${R} = select(0.0, SCALE * p${R} * fma(factor${R}, total(t${R}), -dot_context${R}), owned${R});
    //#for B in 0..HEAD_SIZE / VEC
    d${R}_${B} = fma(Block(ds${R}), k${B}, d${R}_${B});
    //#end
    //#if C2P
    // Buckets of a row come in order.
    if (bucket${R} != bucket_before${R}) {
      if (owned${R}) {
        d_position[position_row(token${R}, local) + bucket_before${R}] = bucket_sum${R};
      }
      bucket_before${R} = bucket${R};
      bucket_sum${R} = 0.0;
    }
    bucket_sum${R} += ds${R};
    //#end
    //#end
    let pair = (((first - chunk_begin() + column) * GROUP_HEADS + local) * PAIR_STRIDE + row) / ${PAIR_VEC}u;
    //#if PAIR_VEC == 4
    //#for P in 0..ROWS / 4
    weights[pair + ${P}u] = vec4(w${4 * P}, w${4 * P + 1}, w${4 * P + 2}, w${4 * P + 3});
    d_scores[pair + ${P}u] = vec4(ds${4 * P}, ds${4 * P + 1}, ds${4 * P + 2}, ds${4 * P + 3});
    //#end
    //#else
    //#for R in 0..ROWS
    weights[pair + ${R}u] = w${R};
    d_scores[pair + ${R}u] = ds${R};
    //#end
    //#end
  }
  //#for R in 0..ROWS
  if (owned${R}) {
    //#for B in 0..HEAD_SIZE / VEC
    d_query[at${R} + ${B}u] = d${R}_${B};
    //#end
    //#if C2P
    d_position[position_row(token${R}, local) + bucket_before${R}] = bucket_sum${R};
    //#end
  }
  //#end
}

// The invocation owns keys: dKey, dValue and the sums of dScore over the queries of each bucket.
@compute @workgroup_size(LANES)
fn backward_key(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let id = tile.x * LANES + lane;
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  let row = id / GROUP_HEADS * ROWS;
  let local = id % GROUP_HEADS;
  let head = first_head + local;
  if (row >= length || !begins_in_chunk(first)) {
    return;
  }
  //#for R in 0..ROWS
  let token${R} = first + min(row + ${R}u, length - 1u);
  let pairs${R} = ((token${R} - chunk_begin()) * GROUP_HEADS + local) * PAIR_STRIDE / 4u;
  //#for B in 0..HEAD_SIZE / VEC
  var d${R}_${B} = Block();
  var e${R}_${B} = Block();
  //#end
  //#if P2C
  var bucket_before${R} = bucket_of(0u, row + ${R}u);
  var bucket_sum${R} = 0.0;
  //#end
  //#end
  for (var column = 0u; column < length; column += 4u) {
    //#for R in 0..ROWS
    //#if ROWS % 4 == 0
    let w${R} = weights_in[pairs${R} + column / 4u];
    let ds${R} = d_scores_in[pairs${R} + column / 4u];
    //#else
    // Nothing was written past the end of the sequence.
    let there${R} = vec4(column) + vec4(0u, 1u, 2u, 3u) < vec4(length);
    let w${R} = select(vec4(0.0), weights_in[pairs${R} + column / 4u], there${R});
    let ds${R} = select(vec4(0.0), d_scores_in[pairs${R} + column / 4u], there${R});
    //#end
    //#end
    //#for K in 0..4
    {
      // Past the end: weights are 0.
      let source = element(first + min(column + ${K}u, length - 1u), head);
      //#for B in 0..HEAD_SIZE / VEC
      let q${B} = query[source + ${B}u];
      let g${B} = d_context[source + ${B}u];
      //#for R in 0..ROWS
      d${R}_${B} = fma(Block(ds${R}[${K}]), q${B}, d${R}_${B});
      e${R}_${B} = fma(Block(w${R}[${K}]), g${B}, e${R}_${B});
      //#end
      //#end
    }
    //#end
    //#if P2C
    // Distances from that of the last row to this column's first query, to that of the first row to its last query.
    //#for M in 0..ROWS + 3
    let bucket${M} = bucket_of(column + ${M}u, row + ROWS - 1u);
    //#end
    //#for R in 0..ROWS
    //#for K in 0..4
    if (bucket${ROWS - 1 - R + K} != bucket_before${R} && column + ${K}u < length) {
      if (row + ${R}u < length) {
        d_position[position_row(token${R}, local) + bucket_before${R}] = bucket_sum${R};
      }
      bucket_before${R} = bucket${ROWS - 1 - R + K};
      bucket_sum${R} = 0.0;
    }
    bucket_sum${R} += ds${R}[${K}];
    //#end
    //#end
    //#end
  }
  //#for R in 0..ROWS
  if (row + ${R}u < length) {
    let at = element(token${R}, head);
    //#for B in 0..HEAD_SIZE / VEC
    d_key[at + ${B}u] = d${R}_${B};
    d_value[at + ${B}u] = e${R}_${B};
    //#end
    //#if P2C
    d_position[position_row(token${R}, local) + bucket_before${R}] = bucket_sum${R};
    //#end
  }
  //#end
}
