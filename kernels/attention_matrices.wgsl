// Attention on tensor cores: a workgroup owns ROWS rows of one head, EACH a subgroup, and walks the sequence in tiles of
// COLUMNS columns. Scores leave the matrices a column after another, so that an invocation gets eight rows of a column, two
// quads for the formulas, and what it makes of them is a word of eight f16 for the next product. Nothing crosses subgroups:
// barriers only order the workgroup's memory. The next tiles are loaded into registers before this step's products.
//
// `words`: two tiles of columns (at first, the rows that become matrices), then for each subgroup a strip of products, and
// for each a tile of pairs as f16.
//#include "lib/matrix.wgsl"
//#include "lib/attention.wgsl"
//#include "lib/matrix_operand.wgsl" OF="row" SIDE="Left" ALONG_K=1 STRIDE=HEAD_WORDS
//#include "lib/matrix_operand.wgsl" OF="along" SIDE="Right" ALONG_K=1 STRIDE=HEAD_WORDS
//#include "lib/matrix_operand.wgsl" OF="across" SIDE="Right" ALONG_K=0 STRIDE=HEAD_WORDS
//#include "lib/matrix_operand.wgsl" OF="pair" SIDE="Left" ALONG_K=0 STRIDE=PAIR_COLUMN
//#include "lib/matrix_operand.wgsl" OF="kept" SIDE="Left" ALONG_K=1 STRIDE=KEPT_WORDS

// How far scores may rise above what the highest was taken for: exp of it is far from f16's end.
const RISE = 8.0;

var<workgroup> words: array<vec4<u32>, ${WORDS}>;
var<workgroup> row_values: array<f32, ${ROWS}>;
var<workgroup> have_risen: u32;

fn store_tile_word(at: u32, place: u32, word: vec4<u32>) {
//#if COLUMNS * HEAD_SIZE / 8 % THREADS
  if (place >= ${COLUMNS * HEAD_SIZE / 8}u) {
    return;
  }
//#end
  words[at + place / ${HEAD_SIZE / 8}u * ${HEAD_WORDS}u + place % ${HEAD_SIZE / 8}u] = word;
}

fn pair_place(first: u32, row: u32, column: u32) -> u32 {
  return first + column * ${PAIR_COLUMN}u + row / 8u;
}

fn kept_place(first: u32, row: u32, column: u32) -> u32 {
  return first + row * ${KEPT_WORDS}u + column / 8u;
}

fn store_kept_word(at: u32, place: u32, word: vec4<u32>) {
//#if ROWS * COLUMNS / 8 % THREADS
  if (place >= ${ROWS * COLUMNS / 8}u) {
    return;
  }
//#end
  words[at + place / ${COLUMNS / 8}u * ${KEPT_WORDS}u + place % ${COLUMNS / 8}u] = word;
}

fn quad_of(place: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(words[place]);
}

// The largest or the sum of what the invocations of the same eight rows have, through their subgroup's strip.
//#for SUM in 0..2
fn ${SUM ? "sum" : "highest"}_of_rows(mine: mat2x4<f32>, strip: u32, lane: u32) -> mat2x4<f32> {
  let place = lane % ${SUBGROUP}u;
  workgroupBarrier();
  words[strip + place * 2u] = bitcast<vec4<u32>>(mine[0]);
  words[strip + place * 2u + 1u] = bitcast<vec4<u32>>(mine[1]);
  workgroupBarrier();
  let first = strip + place / ${LANES}u * ${LANES * 2}u;
  var all = mat2x4<f32>(quad_of(first), quad_of(first + 1u));
  for (var t = 1u; t < ${LANES}u; t++) {
    //#for H in 0..2
    //#if SUM
    all[${H}] += quad_of(first + t * 2u + ${H}u);
    //#else
    all[${H}] = max(all[${H}], quad_of(first + t * 2u + ${H}u));
    //#end
    //#end
  }
  return all;
}
//#end

@compute @workgroup_size(${THREADS})
fn forward(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequence_at(tile.z);
  if (tile.x * ${ROWS}u >= sequence.length) {
    return;
  }
  //#include "lib/attention_matrix_lane.wgsl"
  let pairs = ${PAIRS_AT}u + subgroup * ${PAIRS}u;
  let oct = lane % ${SUBGROUP}u / ${LANES}u;
  let tx = lane % ${LANES}u;
  let own_row = subgroup * ${EACH}u + oct * 8u;
  let row = first_row + own_row;
  //#for H in 0..2
  let rows${H} = rows_at(sequence, row + ${H * 4}u, tile.y);
  var softmax${H} = Softmax(vec4(LOWEST), vec4(0.0), vec4(0.0));
  //#end
  //#include "lib/attention_words.wgsl" FROM="query" AT=0 COUNT=ROWS BEGIN="first_row"
  workgroupBarrier();
  //#for I in 0..EACH / MATRIX_M
  //#for KK in 0..HEAD_SIZE / MATRIX_K
  let q${I}_${KK} = load_row_matrix((subgroup * ${EACH}u + ${I * MATRIX_M}u) * ${HEAD_WORDS}u + ${KK * MATRIX_K / 8}u);
  //#end
  //#for J in 0..HEAD_SIZE / MATRIX_N
  var o${I}_${J} = Result();
  //#end
  //#end
  //#for L in 0..TILE_BLOCKS
  var keys_next${L}: vec4<u32>;
  var values_next${L}: vec4<u32>;
  //#end
  //#include "lib/attention_next_words.wgsl" FROM="keys" BEGIN="0u"
  //#include "lib/attention_next_words.wgsl" FROM="values" BEGIN="0u"
  for (var begin = 0u; begin < sequence.length; begin += ${COLUMNS}u) {
    workgroupBarrier();
    //#for L in 0..TILE_BLOCKS
    store_tile_word(0u, lane + ${L * THREADS}u, keys_next${L});
    store_tile_word(${TILE_WORDS}u, lane + ${L * THREADS}u, values_next${L});
    //#end
    if (lane == 0u) {
      have_risen = 0u;
    }
    workgroupBarrier();
    let next = begin + ${COLUMNS}u;
    //#include "lib/attention_next_words.wgsl" FROM="keys" BEGIN="next"
    //#include "lib/attention_next_words.wgsl" FROM="values" BEGIN="next"
    //#include "lib/attention_matrix_dot.wgsl" ROWS="q" AT=0
    workgroupBarrier();
    //#for H in 0..2
    let bits${H} = kept_bits(rows${H}, begin);
    var peak${H} = vec4(LOWEST);
    //#end
    //#for C in 0..COLUMNS / LANES
    let column${C} = begin + tx + ${LANES * C}u;
    //#for H in 0..2
    var x${C}_${H} = vec4(LOWEST);
    //#end
    if (column${C} < sequence.length) {
      //#for H in 0..2
      x${C}_${H} = scores_of(
        quad_of(strip + (tx + ${LANES * C}u) * ${STRIP_COLUMN}u + oct * 2u + ${H}u),
        position_at(rows${H}, i32(row + ${H * 4}u) - i32(column${C})),
        sequence.first + column${C},
        tile.y,
      );
      peak${H} = max(peak${H}, x${C}_${H});
      //#end
    }
    //#end
    // By what the highest scores are taken for; where some have risen too far, once more.
    loop {
      //#for H in 0..2
      var sum${H} = softmax${H}.sum;
      //#end
      //#for C in 0..COLUMNS / LANES
      {
        //#for H in 0..2
        let p${H} = select(vec4(0.0), exp(x${C}_${H} - softmax${H}.highest), column${C} < sequence.length);
        sum${H} += p${H};
        let kept${H} = halves_of(select(vec4(0.0), p${H}, is_kept(bits${H}, column${C})));
        //#end
        words[pair_place(pairs, oct * 8u, tx + ${LANES * C}u)] = vec4<u32>(kept0, kept1);
      }
      //#end
      if (any(peak0 > softmax0.highest + RISE) || any(peak1 > softmax1.highest + RISE)) {
        have_risen = 1u;
      }
      if (workgroupUniformLoad(&have_risen) == 0u) {
        softmax0.sum = sum0;
        softmax1.sum = sum1;
        break;
      }
      let peaks = highest_of_rows(mat2x4<f32>(peak0, peak1), strip, lane);
      if (lane == 0u) {
        have_risen = 0u;
      }
      //#for H in 0..2
      softmax${H} = risen(softmax${H}, max(softmax${H}.highest, peaks[${H}]));
      softmax${H}.sum *= softmax${H}.shrink;
      if (tx == 0u) {
        //#for R in 0..4
        row_values[own_row + ${H * 4 + R}u] = softmax${H}.shrink[${R}];
        //#end
      }
      //#end
      if (begin > 0u) {
        //#include "lib/attention_matrix_rows.wgsl" SUM="o" INTO=""
      }
      workgroupBarrier();
    }
    //#include "lib/attention_matrix_add.wgsl" SUM="o" PAIRS="pair" FIRST="pairs" AT=TILE_WORDS
  }
  let sums = sum_of_rows(mat2x4<f32>(softmax0.sum, softmax1.sum), strip, lane);
  if (tx == 0u) {
    //#for H in 0..2
    //#for R in 0..4
    row_values[own_row + ${H * 4 + R}u] = keep_scale() / sums[${H}][${R}];
    if (rows${H}.owned[${R}]) {
      max_and_sum[head_at(rows${H}.token[${R}], head)] = vec2(softmax${H}.highest[${R}], sums[${H}][${R}]);
    }
    //#end
    //#end
  }
  //#include "lib/attention_matrix_rows.wgsl" SUM="o" INTO="context"
}

// The workgroup owns queries: dQuery, and what its keys need of every pair.
@compute @workgroup_size(${THREADS})
fn backward_query(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequence_at(tile.z);
  if (tile.x * ${ROWS}u >= sequence.length) {
    return;
  }
  //#include "lib/attention_matrix_lane.wgsl"
  let pairs = ${PAIRS_AT}u + subgroup * ${PAIRS}u;
  let oct = lane % ${SUBGROUP}u / ${LANES}u;
  let tx = lane % ${LANES}u;
  let own_row = subgroup * ${EACH}u + oct * 8u;
  let row = first_row + own_row;
  //#include "lib/attention_words.wgsl" FROM="query" AT=0 COUNT=ROWS BEGIN="first_row"
  //#include "lib/attention_words.wgsl" FROM="d_context" AT=ROWS*HEAD_WORDS COUNT=ROWS BEGIN="first_row"
  workgroupBarrier();
  //#for I in 0..EACH / MATRIX_M
  //#for KK in 0..HEAD_SIZE / MATRIX_K
  let q${I}_${KK} = load_row_matrix((subgroup * ${EACH}u + ${I * MATRIX_M}u) * ${HEAD_WORDS}u + ${KK * MATRIX_K / 8}u);
  let g${I}_${KK} = load_row_matrix(
    (subgroup * ${EACH}u + ${ROWS + I * MATRIX_M}u) * ${HEAD_WORDS}u + ${KK * MATRIX_K / 8}u,
  );
  //#end
  //#for J in 0..HEAD_SIZE / MATRIX_N
  var d${I}_${J} = Result();
  //#end
  //#end
  for (var own = lane; own < ${ROWS}u; own += ${THREADS}u) {
    let at = head_at(sequence.first + min(first_row + own, sequence.length - 1u), head);
    var product = vec4(0.0);
    for (var quad = 0u; quad < ${HEAD_SIZE / 4}u; quad++) {
      let word = words[(${ROWS}u + own) * ${HEAD_WORDS}u + quad / 2u];
      product = fma(widen_f16(select(word.xy, word.zw, (quad & 1u) != 0u)), load_context(at, quad), product);
    }
    row_values[own] = total(product);
  }
  workgroupBarrier();
  //#for H in 0..2
  let rows${H} = rows_at(sequence, row + ${H * 4}u, tile.y);
  var known${H} = Known();
  known${H}.keep = keep_scale();
  //#for R in 0..4
  let known${H}_${R} = max_and_sum[head_at(rows${H}.token[${R}], head)];
  known${H}.highest[${R}] = known${H}_${R}.x;
  known${H}.share[${R}] = 1.0 / known${H}_${R}.y;
  known${H}.dot_context[${R}] = row_values[own_row + ${H * 4 + R}u];
  //#end
  //#end
  //#for L in 0..TILE_BLOCKS
  var keys_next${L}: vec4<u32>;
  var values_next${L}: vec4<u32>;
  //#end
  //#include "lib/attention_next_words.wgsl" FROM="keys" BEGIN="0u"
  //#include "lib/attention_next_words.wgsl" FROM="values" BEGIN="0u"
  for (var begin = 0u; begin < sequence.length; begin += ${COLUMNS}u) {
    workgroupBarrier();
    //#for L in 0..TILE_BLOCKS
    store_tile_word(0u, lane + ${L * THREADS}u, keys_next${L});
    store_tile_word(${TILE_WORDS}u, lane + ${L * THREADS}u, values_next${L});
    //#end
    workgroupBarrier();
    let next = begin + ${COLUMNS}u;
    //#include "lib/attention_next_words.wgsl" FROM="keys" BEGIN="next"
    //#include "lib/attention_next_words.wgsl" FROM="values" BEGIN="next"
    //#include "lib/attention_matrix_dot.wgsl" ROWS="q" AT=0
    workgroupBarrier();
    //#for C in 0..COLUMNS / LANES
    let column${C} = begin + tx + ${LANES * C}u;
    let token${C} = sequence.first + min(column${C}, sequence.length - 1u);
    //#for H in 0..2
    let x${C}_${H} = scores_of(
      quad_of(strip + (tx + ${LANES * C}u) * ${STRIP_COLUMN}u + oct * 2u + ${H}u),
      position_at(rows${H}, i32(row + ${H * 4}u) - i32(column${C})),
      token${C},
      tile.y,
    );
    //#end
    //#end
    workgroupBarrier();
    //#include "lib/attention_matrix_dot.wgsl" ROWS="g" AT=TILE_WORDS
    workgroupBarrier();
    //#for H in 0..2
    let bits${H} = kept_bits(rows${H}, begin);
    //#end
    //#for C in 0..COLUMNS / LANES
    {
      let there = column${C} < sequence.length;
      //#for H in 0..2
      let d_probabilities${H} = quad_of(strip + (tx + ${LANES * C}u) * ${STRIP_COLUMN}u + oct * 2u + ${H}u);
      let kept${H} = is_kept(bits${H}, column${C});
      let pair${H} = pairs_of(known${H}, x${C}_${H}, d_probabilities${H}, kept${H}, rows${H}.owned & vec4(there));
      //#end
      let d_scores_word = vec4<u32>(halves_of(pair0.d_scores * units.x), halves_of(pair1.d_scores * units.x));
      words[pair_place(pairs, oct * 8u, tx + ${LANES * C}u)] = d_scores_word;
      // Rows past the end as well, up to a multiple of 8: zeros.
      if (there && row < sequence.length) {
        store_d_scores(pair_row(token${C}, tile.y), row / 8u, d_scores_word);
        let weights_word = vec4<u32>(halves_of(pair0.weights), halves_of(pair1.weights));
        store_weights(pair_row(token${C}, tile.y), row / 8u, weights_word);
      }
    }
    //#end
    workgroupBarrier();
    //#include "lib/attention_matrix_add.wgsl" SUM="d" PAIRS="pair" FIRST="pairs" AT=0
  }
  if (tx == 0u) {
    //#for R in 0..8
    row_values[own_row + ${R}u] = units.y;
    //#end
  }
  //#include "lib/attention_matrix_rows.wgsl" SUM="d" INTO="d_query"
}

// The workgroup owns keys. What the queries have left is in order for the matrices.
@compute @workgroup_size(${THREADS})
fn backward_key(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sequence = sequence_at(tile.z);
  if (tile.x * ${ROWS}u >= sequence.length) {
    return;
  }
  //#include "lib/attention_matrix_lane.wgsl"
  //#for I in 0..EACH / MATRIX_M
  //#for J in 0..HEAD_SIZE / MATRIX_N
  var d${I}_${J} = Result();
  var e${I}_${J} = Result();
  //#end
  //#end
  //#for L in 0..TILE_BLOCKS
  var queries_next${L}: vec4<u32>;
  var d_contexts_next${L}: vec4<u32>;
  //#end
  //#for L in 0..KEPT_BLOCKS
  var d_scores_next${L}: vec4<u32>;
  var weights_next${L}: vec4<u32>;
  //#end
  //#include "lib/attention_next_words.wgsl" FROM="queries" BEGIN="0u"
  //#include "lib/attention_next_words.wgsl" FROM="d_contexts" BEGIN="0u"
  //#include "lib/attention_next_pairs.wgsl" BEGIN="0u"
  for (var begin = 0u; begin < sequence.length; begin += ${COLUMNS}u) {
    workgroupBarrier();
    //#for L in 0..TILE_BLOCKS
    store_tile_word(0u, lane + ${L * THREADS}u, queries_next${L});
    store_tile_word(${TILE_WORDS}u, lane + ${L * THREADS}u, d_contexts_next${L});
    //#end
    //#for L in 0..KEPT_BLOCKS
    store_kept_word(${STRIPS_AT}u, lane + ${L * THREADS}u, d_scores_next${L});
    store_kept_word(${STRIPS_AT + ROWS * KEPT_WORDS}u, lane + ${L * THREADS}u, weights_next${L});
    //#end
    workgroupBarrier();
    let next = begin + ${COLUMNS}u;
    //#include "lib/attention_next_words.wgsl" FROM="queries" BEGIN="next"
    //#include "lib/attention_next_words.wgsl" FROM="d_contexts" BEGIN="next"
    //#include "lib/attention_next_pairs.wgsl" BEGIN="next"
    let own_d_scores = kept_place(${STRIPS_AT}u, subgroup * ${EACH}u, 0u);
    let own_weights = kept_place(${STRIPS_AT + ROWS * KEPT_WORDS}u, subgroup * ${EACH}u, 0u);
    //#include "lib/attention_matrix_add.wgsl" SUM="d" PAIRS="kept" FIRST="own_d_scores" AT=0
    //#include "lib/attention_matrix_add.wgsl" SUM="e" PAIRS="kept" FIRST="own_weights" AT=TILE_WORDS
  }
  // Each subgroup its own rows.
  for (var own = lane % ${SUBGROUP}u; own < ${EACH}u; own += ${SUBGROUP}u) {
    row_values[subgroup * ${EACH}u + own] = units.y;
  }
  //#include "lib/attention_matrix_rows.wgsl" SUM="d" INTO="d_key"
  workgroupBarrier();
  for (var own = lane % ${SUBGROUP}u; own < ${EACH}u; own += ${SUBGROUP}u) {
    row_values[subgroup * ${EACH}u + own] = 1.0;
  }
  //#include "lib/attention_matrix_rows.wgsl" SUM="e" INTO="d_value"
}
