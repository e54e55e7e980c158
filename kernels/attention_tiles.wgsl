// Disentangled attention for GPUs: a workgroup of 8 x 8 threads owns 32 rows of one head and walks the sequence in tiles
// of 32 columns, staged in workgroup memory. A thread has 4 rows, 4 ty + 0..3, and either the columns tx + 8 c of a tile
// of scores or the quads tx + 8 m of a tile of results.
// SUBGROUPS: the 8 threads of 4 rows, which are neighbours in a subgroup, pass on what softmax needs by themselves.
//#if SUBGROUPS
//#requires subgroups
//#end
//#include "lib/attention.wgsl"

const QUADS = ${HEAD_SIZE / 4}u; // of a head
const TILE = 32u;
const ROW = QUADS + 1u; // of a staged tile: one quad more, so that neighbouring rows lie in other banks
const PAIR_ROW = 9u; // of a tile of scores, [columns, rows] in quads

var<workgroup> rows_a: array<vec4<f32>, 32u * ROW>;
var<workgroup> rows_b: array<vec4<f32>, 32u * ROW>;
var<workgroup> columns: array<vec4<f32>, 32u * ROW>;
var<workgroup> pairs_a: array<vec4<f32>, 32u * PAIR_ROW>;
var<workgroup> pairs_b: array<vec4<f32>, 32u * PAIR_ROW>;
//#if !SUBGROUPS
var<workgroup> partial: array<vec4<f32>, 64>;
//#end

// The largest or the sum of what the 8 threads of 4 rows have.
//#for SUM in 0..2
fn ${SUM ? "sum" : "highest"}_of_rows(mine: vec4<f32>, ty: u32, tx: u32) -> vec4<f32> {
  //#if SUBGROUPS
  var all = mine;
  //#for STEP in 0..3
  //#if SUM
  all += subgroupShuffleXor(all, ${2 ** STEP}u);
  //#else
  all = max(all, subgroupShuffleXor(all, ${2 ** STEP}u));
  //#end
  //#end
  return all;
  //#else
  workgroupBarrier();
  partial[ty * 8u + tx] = mine;
  workgroupBarrier();
  var all = partial[ty * 8u];
  for (var t = 1u; t < 8u; t++) {
    //#if SUM
    all += partial[ty * 8u + t];
    //#else
    all = max(all, partial[ty * 8u + t]);
    //#end
  }
  return all;
  //#end
}
//#end

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequence_at(tile.z);
  if (tile.x * TILE >= sequence.length) {
    return;
  }
  let head = first_head + tile.y;
  let ty = lane / 8u;
  let tx = lane % 8u;
  let row = tile.x * TILE + ty * 4u;
  let rows = rows_at(sequence, row, tile.y);
  //#include "lib/attention_stage.wgsl" FROM="query" INTO="rows_a" BEGIN="tile.x * TILE"
  //#for M in 0..(HEAD_SIZE + 28 - (HEAD_SIZE + 28) % 32) / 32
  //#for R in 0..4
  var o${R}_${M} = vec4(0.0);
  //#end
  //#end
  var softmax = Softmax(vec4(LOWEST), vec4(0.0), vec4(0.0));
  for (var begin = 0u; begin < sequence.length; begin += TILE) {
    workgroupBarrier();
    //#include "lib/attention_stage.wgsl" FROM="keys" INTO="columns" BEGIN="begin"
    //#include "lib/attention_stage.wgsl" FROM="values" INTO="rows_b" BEGIN="begin"
    workgroupBarrier();
    //#include "lib/attention_tile_dot.wgsl" NAME="s" ROWS="rows_a"
    //#for C in 0..4
    let column${C} = begin + tx + ${8 * C}u;
    var x${C} = vec4(LOWEST);
    if (column${C} < sequence.length) {
      let position = position_at(rows, i32(row) - i32(column${C}));
      x${C} = scores_of(s${C}, position, sequence.first + column${C}, tile.y);
    }
    //#end
    let peak = highest_of_rows(max(max(x0, x1), max(x2, x3)), ty, tx);
    softmax = risen(softmax, max(softmax.highest, peak));
    let bits = kept_bits(rows, begin);
    var mine = vec4(0.0);
    //#for C in 0..4
    {
      let p = select(vec4(0.0), exp(x${C} - softmax.highest), column${C} < sequence.length);
      mine += p;
      pairs_a[(tx + ${8 * C}u) * PAIR_ROW + ty] = select(vec4(0.0), p, is_kept(bits, column${C}));
    }
    //#end
    softmax.sum = fma(softmax.sum, softmax.shrink, sum_of_rows(mine, ty, tx));
    //#if SUBGROUPS
    workgroupBarrier(); // for pairs_a
    //#end
    //#for M in 0..(HEAD_SIZE + 28 - (HEAD_SIZE + 28) % 32) / 32
    //#for R in 0..4
    o${R}_${M} *= softmax.shrink[${R}];
    //#end
    //#end
    for (var column = 0u; column < TILE; column++) {
      let p = pairs_a[column * PAIR_ROW + ty];
      //#for M in 0..(HEAD_SIZE + 28 - (HEAD_SIZE + 28) % 32) / 32
      let v${M} = rows_b[column * ROW + min(tx + ${8 * M}u, QUADS - 1u)];
      //#for R in 0..4
      o${R}_${M} = fma(vec4(p[${R}]), v${M}, o${R}_${M});
      //#end
      //#end
    }
  }
  let factor = keep_scale() / softmax.sum;
  //#for R in 0..4
  if (rows.owned[${R}]) {
    let own = head_at(rows.token[${R}], head);
    //#for M in 0..(HEAD_SIZE + 28 - (HEAD_SIZE + 28) % 32) / 32
    if (tx + ${8 * M}u < QUADS) {
      store_context(own, tx + ${8 * M}u, o${R}_${M} * factor[${R}]);
    }
    //#end
    if (tx == 0u) {
      max_and_sum[own] = vec2(softmax.highest[${R}], softmax.sum[${R}]);
    }
  }
  //#end
}

// The workgroup owns queries: dQuery, and what its keys need of every pair.
@compute @workgroup_size(64)
fn backward_query(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequence_at(tile.z);
  let first_row = first_query() + tile.x * TILE;
  if (first_row >= query_end(sequence)) {
    return;
  }
  let head = first_head + tile.y;
  let ty = lane / 8u;
  let tx = lane % 8u;
  let row = first_row + ty * 4u;
  let rows = rows_at(sequence, row, tile.y);
  //#include "lib/attention_stage.wgsl" FROM="query" INTO="rows_a" BEGIN="first_row"
  //#include "lib/attention_stage.wgsl" FROM="d_context" INTO="rows_b" BEGIN="first_row"
  workgroupBarrier();
  var known = Known();
  known.keep = keep_scale();
  //#for R in 0..4
  let own${R} = head_at(rows.token[${R}], head);
  known.highest[${R}] = max_and_sum[own${R}].x;
  known.share[${R}] = 1.0 / max_and_sum[own${R}].y;
  // In the order of the products below, from which it is taken away.
  var product${R} = vec4(0.0);
  for (var quad = 0u; quad < QUADS; quad++) {
    product${R} = fma(rows_b[(ty * 4u + ${R}u) * ROW + quad], load_context(own${R}, quad), product${R});
  }
  known.dot_context[${R}] = total(product${R});
  //#for M in 0..(HEAD_SIZE + 28 - (HEAD_SIZE + 28) % 32) / 32
  var d${R}_${M} = vec4(0.0);
  //#end
  //#end
  for (var begin = 0u; begin < sequence.length; begin += TILE) {
    // dProbability = dContext . value, then the score = query . key: the keys stay for dQuery.
    workgroupBarrier();
    //#include "lib/attention_stage.wgsl" FROM="values" INTO="columns" BEGIN="begin"
    workgroupBarrier();
    //#include "lib/attention_tile_dot.wgsl" NAME="t" ROWS="rows_b"
    workgroupBarrier();
    //#include "lib/attention_stage.wgsl" FROM="keys" INTO="columns" BEGIN="begin"
    workgroupBarrier();
    //#include "lib/attention_tile_dot.wgsl" NAME="s" ROWS="rows_a"
    let bits = kept_bits(rows, begin);
    //#for C in 0..4
    {
      let column = begin + tx + ${8 * C}u;
      let token = sequence.first + min(column, sequence.length - 1u);
      let scores = scores_of(s${C}, position_at(rows, i32(row) - i32(column)), token, tile.y);
      let owned = rows.owned & vec4(column < sequence.length);
      let pairs = pairs_of(known, scores, t${C}, is_kept(bits, column), owned);
      pairs_a[(tx + ${8 * C}u) * PAIR_ROW + ty] = pairs.d_scores;
      // Rows past the end as well, up to a multiple of 4: zeros.
      if (column < sequence.length && row < sequence.length) {
        store_d_scores(pair_row(token, tile.y), (row - first_query()) / 4u, pairs.d_scores);
        store_weights(pair_row(token, tile.y), (row - first_query()) / 4u, pairs.weights);
      }
    }
    //#end
    workgroupBarrier();
    for (var column = 0u; column < TILE; column++) {
      let d = pairs_a[column * PAIR_ROW + ty];
      //#for M in 0..(HEAD_SIZE + 28 - (HEAD_SIZE + 28) % 32) / 32
      let k${M} = columns[column * ROW + min(tx + ${8 * M}u, QUADS - 1u)];
      //#for R in 0..4
      d${R}_${M} = fma(vec4(d[${R}]), k${M}, d${R}_${M});
      //#end
      //#end
    }
  }
  //#for R in 0..4
  //#for M in 0..(HEAD_SIZE + 28 - (HEAD_SIZE + 28) % 32) / 32
  if (rows.owned[${R}] && tx + ${8 * M}u < QUADS) {
    store_d_query(own${R}, tx + ${8 * M}u, d${R}_${M});
  }
  //#end
  //#end
}

// The workgroup owns keys.
@compute @workgroup_size(64)
fn backward_key(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequence_at(tile.z);
  if (tile.x * TILE >= sequence.length) {
    return;
  }
  let head = first_head + tile.y;
  let ty = lane / 8u;
  let tx = lane % 8u;
  let rows = rows_at(sequence, tile.x * TILE + ty * 4u, tile.y);
  //#for R in 0..4
  //#for M in 0..(HEAD_SIZE + 28 - (HEAD_SIZE + 28) % 32) / 32
  var d${R}_${M} = vec4(0.0);
  var e${R}_${M} = vec4(0.0);
  //#end
  //#end
  let end = query_end(sequence);
  for (var begin = first_query(); begin < end; begin += TILE) {
    workgroupBarrier();
    //#include "lib/attention_stage.wgsl" FROM="queries" INTO="rows_a" BEGIN="begin"
    //#include "lib/attention_stage.wgsl" FROM="d_contexts" INTO="rows_b" BEGIN="begin"
    // [key][query / 4]; nothing was written past the end.
    for (var i = lane; i < TILE * 8u; i += 64u) {
      let token = sequence.first + min(tile.x * TILE + i / 8u, sequence.length - 1u);
      let quad = (begin - first_query()) / 4u + i % 8u;
      let at = pair_row(token, tile.y);
      let there = quad * 4u < end - first_query();
      let last = (end - first_query() - 1u) / 4u;
      pairs_a[i / 8u * PAIR_ROW + i % 8u] = select(vec4(0.0), load_d_scores(at, min(quad, last)), there);
      pairs_b[i / 8u * PAIR_ROW + i % 8u] = select(vec4(0.0), load_weights(at, min(quad, last)), there);
    }
    workgroupBarrier();
    for (var quad = 0u; quad < 8u; quad++) {
      //#for R in 0..4
      let ds${R} = pairs_a[(ty * 4u + ${R}u) * PAIR_ROW + quad];
      let w${R} = pairs_b[(ty * 4u + ${R}u) * PAIR_ROW + quad];
      //#end
      //#for K in 0..4
      //#for M in 0..(HEAD_SIZE + 28 - (HEAD_SIZE + 28) % 32) / 32
      {
        let at = (quad * 4u + ${K}u) * ROW + min(tx + ${8 * M}u, QUADS - 1u);
        let q = rows_a[at];
        let g = rows_b[at];
        //#for R in 0..4
        d${R}_${M} = fma(vec4(ds${R}[${K}]), q, d${R}_${M});
        e${R}_${M} = fma(vec4(w${R}[${K}]), g, e${R}_${M});
        //#end
      }
      //#end
      //#end
    }
  }
  //#for R in 0..4
  if (rows.owned[${R}]) {
    let own = head_at(rows.token[${R}], head);
    //#for M in 0..(HEAD_SIZE + 28 - (HEAD_SIZE + 28) % 32) / 32
    if (tx + ${8 * M}u < QUADS) {
      //#if HAS_part
      if (part > 0u) {
        d${R}_${M} += load_d_key(own, tx + ${8 * M}u);
        e${R}_${M} += load_d_value(own, tx + ${8 * M}u);
      }
      //#end
      store_d_key(own, tx + ${8 * M}u, d${R}_${M});
      store_d_value(own, tx + ${8 * M}u, e${R}_${M});
    }
    //#end
  }
  //#end
}
