// Disentangled attention without workgroup memory, for adapters that run on the CPU: an invocation owns four rows of one
// head, in registers, and walks the columns of the sequence; the 8 invocations of a workgroup lie along one sequence.
// With WINDOW, what all of them read alike, the columns, is one head's chunk of tokens, bound as a uniform: such adapters
// read it an order of magnitude faster than storage.
//#include "lib/attention.wgsl"

@compute @workgroup_size(8)
fn forward(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequence_at(tile.z);
  if (tile.x * 32u >= sequence.length) {
    return;
  }
  let row = tile.x * 32u + lane * 4u;
  let head = first_head + tile.y;
  let rows = rows_at(sequence, row, tile.y);
  //#for R in 0..4
  //#for B in 0..HEAD_SIZE / 4
  let q${R}_${B} = load_query(head_at(rows.token[${R}], head), ${B}u);
  var o${R}_${B} = vec4(0.0);
  //#end
  //#end
  var softmax = Softmax(vec4(LOWEST), vec4(0.0), vec4(0.0));
  var position = position_at(rows, i32(row) + 1);
  var bits = vec4(0u);
  for (var column = 0u; column < sequence.length; column++) {
    if ((column & 31u) == 0u) {
      bits = kept_bits(rows, column);
    }
    let token = sequence.first + column;
    let at = column_at(token, head);
    //#for B in 0..HEAD_SIZE / 4
    let k${B} = load_keys(at, ${B}u);
    //#end
    //#include "lib/attention_dot.wgsl" NAME="s" ROW="q" COLUMN="k"
    position = position_after(position, rows, i32(row) - i32(column));
    let scores = scores_of(s, position, token, tile.y);
    softmax = risen(softmax, max(softmax.highest, scores));
    let p = exp(scores - softmax.highest);
    softmax.sum = fma(softmax.sum, softmax.shrink, p);
    let w = select(vec4(0.0), p, is_kept(bits, column));
    //#for B in 0..HEAD_SIZE / 4
    let v${B} = load_values(at, ${B}u);
    //#for R in 0..4
    o${R}_${B} = fma(vec4(w[${R}]), v${B}, o${R}_${B} * softmax.shrink[${R}]);
    //#end
    //#end
  }
  let factor = keep_scale() / softmax.sum;
  //#for R in 0..4
  if (rows.owned[${R}]) {
    let own = head_at(rows.token[${R}], head);
    //#for B in 0..HEAD_SIZE / 4
    store_context(own, ${B}u, o${R}_${B} * factor[${R}]);
    //#end
    max_and_sum[own] = vec2(softmax.highest[${R}], softmax.sum[${R}]);
  }
  //#end
}

// The invocation owns queries: dQuery, and what its keys need of every pair.
@compute @workgroup_size(8)
fn backward_query(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequence_at(tile.z);
  if (first_query() + tile.x * 32u >= query_end(sequence)) {
    return;
  }
  let row = first_query() + tile.x * 32u + lane * 4u;
  let head = first_head + tile.y;
  let rows = rows_at(sequence, row, tile.y);
  var known = Known();
  known.keep = keep_scale();
  //#for R in 0..4
  let own${R} = head_at(rows.token[${R}], head);
  known.highest[${R}] = max_and_sum[own${R}].x;
  known.share[${R}] = 1.0 / max_and_sum[own${R}].y;
  var product${R} = vec4(0.0);
  //#for B in 0..HEAD_SIZE / 4
  let q${R}_${B} = load_query(own${R}, ${B}u);
  let g${R}_${B} = load_d_context(own${R}, ${B}u);
  product${R} = fma(g${R}_${B}, load_context(own${R}, ${B}u), product${R});
  var d${R}_${B} = vec4(0.0);
  //#end
  known.dot_context[${R}] = total(product${R});
  //#end
  var position = position_at(rows, i32(row) + 1);
  //#if HAS_sums
  var current = BucketSums(position.bucket, vec4(0.0));
  //#end
  var bits = vec4(0u);
  for (var column = 0u; column < sequence.length; column++) {
    if ((column & 31u) == 0u) {
      bits = kept_bits(rows, column);
    }
    let token = sequence.first + column;
    let at = column_at(token, head);
    //#for B in 0..HEAD_SIZE / 4
    let k${B} = load_keys(at, ${B}u);
    let v${B} = load_values(at, ${B}u);
    //#end
    //#include "lib/attention_dot.wgsl" NAME="s" ROW="q" COLUMN="k"
    //#include "lib/attention_dot.wgsl" NAME="t" ROW="g" COLUMN="v"
    position = position_after(position, rows, i32(row) - i32(column));
    let pairs = pairs_of(known, scores_of(s, position, token, tile.y), t, is_kept(bits, column), rows.owned);
    //#if HAS_sums
    add_to_buckets(&current, rows, position.bucket, pairs.d_scores);
    //#end
    //#for B in 0..HEAD_SIZE / 4
    //#for R in 0..4
    d${R}_${B} = fma(vec4(pairs.d_scores[${R}]), k${B}, d${R}_${B});
    //#end
    //#end
    // Rows past the end as well, up to a multiple of 4: zeros.
    if (row < sequence.length) {
      store_weights(pair_row(token, tile.y), (row - first_query()) / 4u, pairs.weights);
      store_d_scores(pair_row(token, tile.y), (row - first_query()) / 4u, pairs.d_scores);
    }
  }
  //#for R in 0..4
  if (rows.owned[${R}]) {
    //#for B in 0..HEAD_SIZE / 4
    store_d_query(own${R}, ${B}u, d${R}_${B});
    //#end
  }
  //#end
  //#if HAS_sums
  write_buckets(current, rows);
  //#end
}

// The invocation owns keys.
@compute @workgroup_size(8)
fn backward_key(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequence_at(tile.z);
  if (tile.x * 32u >= sequence.length) {
    return;
  }
  let head = first_head + tile.y;
  let row = tile.x * 32u + lane * 4u;
  let rows = rows_at(sequence, row, tile.y);
  //#if HAS_sums
  var current = BucketSums(key_buckets(row), vec4(0.0));
  //#end
  //#for R in 0..4
  let pairs${R} = pair_row(rows.token[${R}], tile.y);
  //#for B in 0..HEAD_SIZE / 4
  var d${R}_${B} = vec4(0.0);
  var e${R}_${B} = vec4(0.0);
  //#end
  //#end
  for (var column = first_query(); column < query_end(sequence); column += 4u) {
    //#for R in 0..4
    let w${R} = load_weights(pairs${R}, (column - first_query()) / 4u);
    let ds${R} = load_d_scores(pairs${R}, (column - first_query()) / 4u);
    //#end
    //#for K in 0..4
    {
      // Past the end, weights are 0.
      let at = column_at(sequence.first + min(column + ${K}u, sequence.length - 1u), head);
      //#for B in 0..HEAD_SIZE / 4
      let q${B} = load_queries(at, ${B}u);
      let g${B} = load_d_contexts(at, ${B}u);
      //#for R in 0..4
      d${R}_${B} = fma(vec4(ds${R}[${K}]), q${B}, d${R}_${B});
      e${R}_${B} = fma(vec4(w${R}[${K}]), g${B}, e${R}_${B});
      //#end
      //#end
    }
    //#if HAS_sums
    if (column + ${K}u < sequence.length) {
      let bucket = vec4(bucket_of(i32(column) + ${K} - i32(row)), current.bucket.xyz);
      add_to_buckets(&current, rows, bucket, vec4(ds0[${K}], ds1[${K}], ds2[${K}], ds3[${K}]));
    }
    //#end
    //#end
  }
  //#for R in 0..4
  if (rows.owned[${R}]) {
    let own = head_at(rows.token[${R}], head);
    //#for B in 0..HEAD_SIZE / 4
    //#if HAS_part
    if (part > 0u) {
      d${R}_${B} += load_d_key(own, ${B}u);
      e${R}_${B} += load_d_value(own, ${B}u);
    }
    //#end
    store_d_key(own, ${B}u, d${R}_${B});
    store_d_value(own, ${B}u, e${R}_${B});
    //#end
  }
  //#end
  //#if HAS_sums
  write_buckets(current, rows);
  //#end
}
