// Disentangled attention for GPUs: a workgroup of 8 x 8 threads owns 32 rows of one head and walks the sequence in tiles
// of 32 columns, staged in workgroup memory. A thread has 4 rows, 4 ty + 0..3, and either the columns tx + 8 c of a tile
// of scores or the blocks tx + 8 m of a tile of results. The formulas are in attention_invocation.wgsl; the online
// softmax is Dao et al., "FlashAttention", NeurIPS 2022, algorithm 1.
// The backward of queries leaves dScore and kept probability of every pair, transposed: [tokens, group heads, queries].
//#include "lib/attention.wgsl"

override PAIR_STRIDE: u32; // LONGEST rounded up to a multiple of 8

const TILE = 32u;
const ROW = BLOCKS + 1u; // of a staged tile: one block more, so that neighbouring rows lie in other banks
const PAIR_ROW = 9u; // of a tile of scores, in vec4s

@group(0) @binding(20) var<storage, read_write> weights: array<vec4<f32>>; // kept probabilities
@group(0) @binding(21) var<storage, read_write> d_scores: array<vec4<f32>>;
@group(0) @binding(22) var<storage, read> weights_in: array<vec4<f32>>;
@group(0) @binding(23) var<storage, read> d_scores_in: array<vec4<f32>>;

var<workgroup> rows_a: array<Block, 32u * ROW>;
var<workgroup> rows_b: array<Block, 32u * ROW>;
var<workgroup> columns: array<Block, 32u * ROW>;
var<workgroup> pairs_a: array<vec4<f32>, 32u * PAIR_ROW>;
var<workgroup> pairs_b: array<vec4<f32>, 32u * PAIR_ROW>;
var<workgroup> partial: array<vec4<f32>, 64>;

// The largest or the sum of what the 8 threads of 4 rows have.
fn highest_of_rows(mine: vec4<f32>, ty: u32, tx: u32) -> vec4<f32> {
  workgroupBarrier();
  partial[ty * 8u + tx] = mine;
  workgroupBarrier();
  var all = partial[ty * 8u];
  for (var t = 1u; t < 8u; t++) {
    all = max(all, partial[ty * 8u + t]);
  }
  return all;
}

fn sum_of_rows(mine: vec4<f32>, ty: u32, tx: u32) -> vec4<f32> {
  workgroupBarrier();
  partial[ty * 8u + tx] = mine;
  workgroupBarrier();
  var all = partial[ty * 8u];
  for (var t = 1u; t < 8u; t++) {
    all += partial[ty * 8u + t];
  }
  return all;
}

// Staging of 32 rows of a head from position `begin` of the sequence on; past its end the last row is repeated.
//#for SOURCE in 0..5
fn stage_${SOURCE}(first: u32, length: u32, begin: u32, head: u32, lane: u32) {
  for (var i = lane; i < TILE * BLOCKS; i += 64u) {
    let row = i / BLOCKS;
    let block = i % BLOCKS;
    let source = element(first + min(begin + row, length - 1u), head) + block;
    //#if SOURCE == 0
    rows_a[row * ROW + block] = query[source];
    //#end
    //#if SOURCE == 1
    rows_b[row * ROW + block] = d_context[source];
    //#end
    //#if SOURCE == 2
    columns[row * ROW + block] = key[source];
    //#end
    //#if SOURCE == 3
    columns[row * ROW + block] = value[source];
    //#end
    //#if SOURCE == 4
    rows_b[row * ROW + block] = value[source];
    //#end
  }
}
//#end

// Score of a query and a key, given their product.
fn finish_score(product: f32, first: u32, length: u32, row: u32, column: u32, local: u32) -> f32 {
  var score = product;
  //#if C2P || P2C
  let i = min(row, length - 1u);
  let j = min(column, length - 1u);
  let bucket = bucket_of(i, j);
  //#if C2P
  score += c2p[position_row(first + i, local) + bucket];
  //#end
  //#if P2C
  score += p2c[position_row(first + j, local) + bucket];
  //#end
  //#end
  return score * SCALE;
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  if (tile.x * TILE >= length) {
    return;
  }
  let head = first_head + tile.y;
  let ty = lane / 8u;
  let tx = lane % 8u;
  let row = tile.x * TILE + ty * 4u;
  stage_0(first, length, tile.x * TILE, head, lane);
  //#for R in 0..4
  //#for M in 0..RESULT_BLOCKS
  var o${R}_${M} = Block();
  //#end
  //#end
  var highest = vec4(LOWEST);
  var sum = vec4(0.0);
  for (var begin = 0u; begin < length; begin += TILE) {
    workgroupBarrier();
    stage_2(first, length, begin, head, lane);
    stage_4(first, length, begin, head, lane);
    workgroupBarrier();
    //#for C in 0..4
    //#for R in 0..4
    var s${R}_${C} = Block();
    //#end
    //#end
    for (var block = 0u; block < BLOCKS; block++) {
      //#for R in 0..4
      let a${R} = rows_a[(ty * 4u + ${R}u) * ROW + block];
      //#end
      //#for C in 0..4
      let b${C} = columns[(tx + ${8 * C}u) * ROW + block];
      //#for R in 0..4
      s${R}_${C} = fma(a${R}, b${C}, s${R}_${C});
      //#end
      //#end
    }
    //#for C in 0..4
    let column${C} = begin + tx + ${8 * C}u;
    var x${C} = vec4(LOWEST);
    if (column${C} < length) {
      //#for R in 0..4
      x${C}[${R}] = finish_score(total(s${R}_${C}), first, length, row + ${R}u, column${C}, tile.y);
      //#end
    }
    //#end
    let peak = max(highest, highest_of_rows(max(max(x0, x1), max(x2, x3)), ty, tx));
    let shrink = exp(highest - peak);
    highest = peak;
    //#for R in 0..4
    let bits${R} = kept_keys(first + min(row + ${R}u, length - 1u), tile.y, begin);
    //#end
    var mine = vec4(0.0);
    //#for C in 0..4
    {
      let p = select(vec4(0.0), exp(x${C} - peak), column${C} < length);
      mine += p;
      let kept = (vec4(bits0, bits1, bits2, bits3) >> vec4(tx + ${8 * C}u)) & vec4(1u);
      // Transposed: [column][row].
      pairs_a[(tx + ${8 * C}u) * PAIR_ROW + ty] = select(vec4(0.0), p, kept != vec4(0u));
    }
    //#end
    sum = fma(sum, shrink, sum_of_rows(mine, ty, tx));
    //#for M in 0..RESULT_BLOCKS
    //#for R in 0..4
    o${R}_${M} *= shrink[${R}];
    //#end
    //#end
    for (var column = 0u; column < TILE; column++) {
      let p = pairs_a[column * PAIR_ROW + ty];
      //#for M in 0..RESULT_BLOCKS
      let v${M} = rows_b[column * ROW + min(tx + ${8 * M}u, BLOCKS - 1u)];
      //#for R in 0..4
      o${R}_${M} = fma(Block(p[${R}]), v${M}, o${R}_${M});
      //#end
      //#end
    }
  }
  let factor = keep_scale() / sum;
  //#for R in 0..4
  if (row + ${R}u < length) {
    let at = element(first + row + ${R}u, head);
    //#for M in 0..RESULT_BLOCKS
    if (tx + ${8 * M}u < BLOCKS) {
      context[at + tx + ${8 * M}u] = o${R}_${M} * factor[${R}];
    }
    //#end
    if (tx == 0u) {
      max_and_sum[(first + row + ${R}u) * HEADS + head] = vec2(highest[${R}], sum[${R}]);
    }
  }
  //#end
}

@compute @workgroup_size(64)
fn backward_query(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  if (tile.x * TILE >= length || !begins_in_chunk(first)) {
    return;
  }
  let head = first_head + tile.y;
  let ty = lane / 8u;
  let tx = lane % 8u;
  let row = tile.x * TILE + ty * 4u;
  let keep = keep_scale();
  stage_0(first, length, tile.x * TILE, head, lane);
  stage_1(first, length, tile.x * TILE, head, lane);
  workgroupBarrier();
  var mine = vec4(0.0);
  var highest = vec4(0.0);
  var share = vec4(0.0);
  //#for R in 0..4
  {
    let token = first + min(row + ${R}u, length - 1u);
    highest[${R}] = max_and_sum_in[token * HEADS + head].x;
    share[${R}] = 1.0 / max_and_sum_in[token * HEADS + head].y;
    for (var block = tx; block < BLOCKS; block += 8u) {
      mine[${R}] += total(rows_b[(ty * 4u + ${R}u) * ROW + block] * context_in[element(token, head) + block]);
    }
  }
  //#for M in 0..RESULT_BLOCKS
  var d${R}_${M} = Block();
  //#end
  //#end
  let dot_context = sum_of_rows(mine, ty, tx);
  let owned = vec4(row) + vec4(0u, 1u, 2u, 3u) < vec4(length);
  for (var begin = 0u; begin < length; begin += TILE) {
    // dProbability = dContext . value, then the score = query . key: the keys stay for dQuery.
    //#for PART in 0..2
    workgroupBarrier();
    stage_${3 - PART}(first, length, begin, head, lane);
    workgroupBarrier();
    //#for C in 0..4
    //#for R in 0..4
    var s${PART}_${R}_${C} = Block();
    //#end
    //#end
    for (var block = 0u; block < BLOCKS; block++) {
      //#for R in 0..4
      //#if PART == 0
      let a${R} = rows_b[(ty * 4u + ${R}u) * ROW + block];
      //#else
      let a${R} = rows_a[(ty * 4u + ${R}u) * ROW + block];
      //#end
      //#end
      //#for C in 0..4
      let b${C} = columns[(tx + ${8 * C}u) * ROW + block];
      //#for R in 0..4
      s${PART}_${R}_${C} = fma(a${R}, b${C}, s${PART}_${R}_${C});
      //#end
      //#end
    }
    //#end
    //#for R in 0..4
    let bits${R} = kept_keys(first + min(row + ${R}u, length - 1u), tile.y, begin);
    //#end
    //#for C in 0..4
    {
      let column = begin + tx + ${8 * C}u;
      let kept = (vec4(bits0, bits1, bits2, bits3) >> vec4(tx + ${8 * C}u)) & vec4(1u);
      let valid = owned & vec4(column < length);
      var score = vec4(0.0);
      //#for R in 0..4
      score[${R}] = finish_score(total(s1_${R}_${C}), first, length, row + ${R}u, column, tile.y);
      //#end
      let p = exp(score - highest) * share;
      let factor = select(vec4(0.0), vec4(keep), (kept != vec4(0u)) & valid);
      let d_probability = vec4(total(s0_0_${C}), total(s0_1_${C}), total(s0_2_${C}), total(s0_3_${C}));
      let d_score = select(vec4(0.0), SCALE * p * fma(factor, d_probability, -dot_context), valid);
      pairs_a[(tx + ${8 * C}u) * PAIR_ROW + ty] = d_score;
      // Rows past the end as well, up to a multiple of 4: zeros.
      if (column < length && row < length) {
        let pair = (((first - chunk_begin() + column) * GROUP_HEADS + tile.y) * PAIR_STRIDE + row) / 4u;
        d_scores[pair] = d_score;
        weights[pair] = select(vec4(0.0), factor * p, valid);
      }
    }
    //#end
    workgroupBarrier();
    for (var column = 0u; column < TILE; column++) {
      let d = pairs_a[column * PAIR_ROW + ty];
      //#for M in 0..RESULT_BLOCKS
      let k${M} = columns[column * ROW + min(tx + ${8 * M}u, BLOCKS - 1u)];
      //#for R in 0..4
      d${R}_${M} = fma(Block(d[${R}]), k${M}, d${R}_${M});
      //#end
      //#end
    }
  }
  //#for R in 0..4
  //#for M in 0..RESULT_BLOCKS
  if (row + ${R}u < length && tx + ${8 * M}u < BLOCKS) {
    d_query[element(first + row + ${R}u, head) + tx + ${8 * M}u] = d${R}_${M};
  }
  //#end
  //#end
}

// The workgroup owns keys.
@compute @workgroup_size(64)
fn backward_key(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  if (tile.x * TILE >= length || !begins_in_chunk(first)) {
    return;
  }
  let head = first_head + tile.y;
  let ty = lane / 8u;
  let tx = lane % 8u;
  let row = tile.x * TILE + ty * 4u;
  //#for R in 0..4
  //#for M in 0..RESULT_BLOCKS
  var d${R}_${M} = Block();
  var e${R}_${M} = Block();
  //#end
  //#end
  for (var begin = 0u; begin < length; begin += TILE) {
    workgroupBarrier();
    stage_0(first, length, begin, head, lane);
    stage_1(first, length, begin, head, lane);
    // [key][query / 4]; nothing was written past the end.
    for (var i = lane; i < TILE * 8u; i += 64u) {
      let token = first + min(tile.x * TILE + i / 8u, length - 1u);
      let quad = begin / 4u + i % 8u;
      let pair = ((token - chunk_begin()) * GROUP_HEADS + tile.y) * PAIR_STRIDE / 4u + min(quad, (length - 1u) / 4u);
      let there = quad * 4u < length;
      pairs_a[i / 8u * PAIR_ROW + i % 8u] = select(vec4(0.0), d_scores_in[pair], there);
      pairs_b[i / 8u * PAIR_ROW + i % 8u] = select(vec4(0.0), weights_in[pair], there);
    }
    workgroupBarrier();
    for (var quad = 0u; quad < 8u; quad++) {
      //#for R in 0..4
      let ds${R} = pairs_a[(ty * 4u + ${R}u) * PAIR_ROW + quad];
      let w${R} = pairs_b[(ty * 4u + ${R}u) * PAIR_ROW + quad];
      //#end
      //#for K in 0..4
      //#for M in 0..RESULT_BLOCKS
      {
        let at = (quad * 4u + ${K}u) * ROW + min(tx + ${8 * M}u, BLOCKS - 1u);
        let q = rows_a[at];
        let g = rows_b[at];
        //#for R in 0..4
        d${R}_${M} = fma(Block(ds${R}[${K}]), q, d${R}_${M});
        e${R}_${M} = fma(Block(w${R}[${K}]), g, e${R}_${M});
        //#end
      }
      //#end
      //#end
    }
  }
  //#for R in 0..4
  //#for M in 0..RESULT_BLOCKS
  if (row + ${R}u < length && tx + ${8 * M}u < BLOCKS) {
    let at = element(first + row + ${R}u, head) + tx + ${8 * M}u;
    d_key[at] = d${R}_${M};
    d_value[at] = e${R}_${M};
  }
  //#end
  //#end
}
