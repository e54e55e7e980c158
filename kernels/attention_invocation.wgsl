// Disentangled attention, one invocation per (head, row), no workgroup memory. Lanes are neighbouring rows of one
// sequence, so that everything read for a column (key or query) is the same for all lanes.
//
//   score[i,j] = scale * (q_i . k_j + c2p[i, b] + p2c[j, b]),  b = relative_index of distance i - j
//   probability = exp(score - log_sum_exp[i]),  context_i = sum_j mask[i,j] probability[i,j] v_j
//
// c2p and p2c are the products with the position tables made by attention_position.wgsl, mask the bits of
// attention_mask.wgsl. He et al., "DeBERTa: Decoding-enhanced BERT with Disentangled Attention", ICLR 2021, section 3.1.
//#include "lib/attention.wgsl"

const LANES = ${LANES}u;
const LOWEST = -3.0e38;

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  if (tile.x * LANES >= length) {
    return;
  }
  let row = min(tile.x * LANES + lane, length - 1u);
  let head = FIRST_HEAD + tile.y;
  let at = element(first + row, head);
  //#for C in 0..HEAD_SIZE
  let q${C} = query[at + ${C}u];
  var o${C} = 0.0;
  //#end
  var highest = LOWEST;
  var sum = 0.0;
  var bits = 0xffffffffu;
  for (var block = 0u; block < length; block += 4u) {
    if ((block & 31u) == 0u) {
      bits = kept_keys(first + row, tile.y, block);
    }
    // Four keys share one rescaling; those past the end are the last key again, with probability 0.
    //#for K in 0..4
    let key${K} = min(block + ${K}u, length - 1u);
    let from${K} = element(first + key${K}, head);
    var score${K} = 0.0;
    //#for C in 0..HEAD_SIZE
    score${K} = fma(q${C}, key[from${K} + ${C}u], score${K});
    //#end
    //#if C2P || P2C
    let bucket${K} = bucket_of(row, key${K});
    //#end
    //#if C2P
    score${K} += c2p[position_score(first + row, tile.y) + bucket${K}];
    //#end
    //#if P2C
    score${K} += p2c[position_score(first + key${K}, tile.y) + bucket${K}];
    //#end
    score${K} *= SCALE;
    //#end
    let peak = max(highest, max(max(score0, score1), max(score2, score3)));
    let shrink = exp(highest - peak);
    highest = peak;
    //#for K in 0..4
    let p${K} = select(0.0, exp(score${K} - peak), block + ${K}u < length);
    let w${K} = select(0.0, p${K}, ((bits >> ((block + ${K}u) & 31u)) & 1u) != 0u);
    //#end
    sum = fma(sum, shrink, (p0 + p1) + (p2 + p3));
    //#for C in 0..HEAD_SIZE
    o${C} *= shrink;
    //#for K in 0..4
    o${C} = fma(w${K}, value[from${K} + ${C}u], o${C});
    //#end
    //#end
  }
  if (tile.x * LANES + lane < length) {
    let factor = keep_scale() / sum;
    //#for C in 0..HEAD_SIZE
    context[at + ${C}u] = o${C} * factor;
    //#end
    log_sum_exp[(first + row) * HEADS + head] = highest + log(sum);
  }
}

// A lane owns query i: dQuery_i, the sum of dContext * context for the other kernel, and the sums of dScore over the
// keys of each bucket.
@compute @workgroup_size(LANES)
fn backward_query(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  if (tile.x * LANES >= length) {
    return;
  }
  let owned = tile.x * LANES + lane < length;
  let row = min(tile.x * LANES + lane, length - 1u);
  let head = FIRST_HEAD + tile.y;
  let at = element(first + row, head);
  let statistic = (first + row) * HEADS + head;
  let keep = keep_scale();
  var dot_context = 0.0;
  //#for C in 0..HEAD_SIZE
  let q${C} = query[at + ${C}u];
  let g${C} = d_context[at + ${C}u];
  dot_context = fma(g${C}, context_in[at + ${C}u], dot_context);
  var d${C} = 0.0;
  //#end
  let log_sum = log_sum_exp_in[statistic];
  var bits = 0xffffffffu;
  //#if C2P
  var bucket_before = 0xffffffffu;
  var bucket_sum = 0.0;
  //#end
  for (var column = 0u; column < length; column++) {
    if ((column & 31u) == 0u) {
      bits = kept_keys(first + row, tile.y, column);
    }
    let source = element(first + column, head);
    var score = 0.0;
    var d_probability = 0.0;
    //#for C in 0..HEAD_SIZE
    let k${C} = key[source + ${C}u];
    score = fma(q${C}, k${C}, score);
    d_probability = fma(g${C}, value[source + ${C}u], d_probability);
    //#end
    //#if C2P || P2C
    let bucket = bucket_of(row, column);
    //#end
    //#if C2P
    score += c2p[position_score(first + row, tile.y) + bucket];
    //#end
    //#if P2C
    score += p2c[position_score(first + column, tile.y) + bucket];
    //#end
    let kept = ((bits >> (column & 31u)) & 1u) != 0u;
    let probability = exp(fma(score, SCALE, -log_sum));
    let d_score = SCALE * probability * (select(0.0, keep * d_probability, kept) - dot_context);
    //#for C in 0..HEAD_SIZE
    d${C} = fma(d_score, k${C}, d${C});
    //#end
    //#if C2P
    // Buckets of a row come in order: the last write of a bucket holds its whole sum.
    bucket_sum = select(d_score, bucket_sum + d_score, bucket == bucket_before);
    bucket_before = bucket;
    if (owned) {
      d_position[position_score(first + row, tile.y) + bucket] = bucket_sum;
    }
    //#end
  }
  if (owned) {
    //#for C in 0..HEAD_SIZE
    d_query[at + ${C}u] = d${C};
    //#end
    dot_contexts[statistic] = dot_context;
  }
}

// A lane owns key j: dKey_j, dValue_j and the sums of dScore over the queries of each bucket.
@compute @workgroup_size(LANES)
fn backward_key(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  if (tile.x * LANES >= length) {
    return;
  }
  let owned = tile.x * LANES + lane < length;
  let row = min(tile.x * LANES + lane, length - 1u);
  let head = FIRST_HEAD + tile.y;
  let at = element(first + row, head);
  let keep = keep_scale();
  //#for C in 0..HEAD_SIZE
  let k${C} = key[at + ${C}u];
  let v${C} = value[at + ${C}u];
  var d${C} = 0.0;
  var e${C} = 0.0;
  //#end
  //#if P2C
  var bucket_before = 0xffffffffu;
  var bucket_sum = 0.0;
  //#end
  for (var column = 0u; column < length; column++) {
    let bits = kept_keys(first + column, tile.y, tile.x * LANES);
    let source = element(first + column, head);
    let statistic = (first + column) * HEADS + head;
    var score = 0.0;
    var d_probability = 0.0;
    //#for C in 0..HEAD_SIZE
    let q${C} = query[source + ${C}u];
    let g${C} = d_context[source + ${C}u];
    score = fma(k${C}, q${C}, score);
    d_probability = fma(v${C}, g${C}, d_probability);
    //#end
    //#if C2P || P2C
    let bucket = bucket_of(column, row);
    //#end
    //#if C2P
    score += c2p[position_score(first + column, tile.y) + bucket];
    //#end
    //#if P2C
    score += p2c[position_score(first + row, tile.y) + bucket];
    //#end
    let factor = select(0.0, keep, ((bits >> (row & 31u)) & 1u) != 0u);
    let probability = exp(fma(score, SCALE, -log_sum_exp_in[statistic]));
    let d_score = SCALE * probability * fma(factor, d_probability, -dot_contexts_in[statistic]);
    let weight = factor * probability;
    //#for C in 0..HEAD_SIZE
    d${C} = fma(d_score, q${C}, d${C});
    e${C} = fma(weight, g${C}, e${C});
    //#end
    //#if P2C
    bucket_sum = select(d_score, bucket_sum + d_score, bucket == bucket_before);
    bucket_before = bucket;
    if (owned) {
      d_position[position_score(first + row, tile.y) + bucket] = bucket_sum;
    }
    //#end
  }
  if (owned) {
    //#for C in 0..HEAD_SIZE
    d_key[at + ${C}u] = d${C};
    d_value[at + ${C}u] = e${C};
    //#end
  }
}
