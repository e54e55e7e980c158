// What all attention kernels share: sizes, the tensors beside the heads', and the formulas, for four rows of a sequence
// (queries i) and one of its columns (key j):
//
//   score[i,j] = scale * (q_i . k_j + c2p[i, b] + p2c[j, b]),  b = relative_index of distance i - j
//   probability[i,j] = exp(score - highest[i]) / sum[i],  context_i = sum_j kept[i,j] probability[i,j] v_j
//   dScore[i,j] = scale * probability * (kept[i,j] dContext_i . v_j - dContext_i . context_i)
//
// The highest score and the sum are kept apart: in highest + log(sum), a large one would take the digits of the sum. c2p
// and p2c are products with the position tables. He et al., "DeBERTa: Decoding-enhanced BERT with Disentangled Attention",
// ICLR 2021, section 3.1; the online softmax is Dao et al., "FlashAttention", NeurIPS 2022, algorithm 1.
//
// Heads go in groups of GROUP_HEADS from first_head on; `local` counts heads within the group. Sequences go in chunks:
// those that begin in the `chunk`-th CHUNK tokens. What is kept of pairs has room for those, whole, or with the `part`-th
// PART queries of each; then the gradients of keys are added to from part to part.
override HEADS: u32;
override GROUP_HEADS: u32;
override LONGEST: u32; // the longest sequence that any batch may have
override BUCKETS: u32; // rows of the position tables
override SCALE: f32;
override CHUNK: u32;

const LOWEST = -3.0e38;

@group(0) @binding(0) var<uniform> first_head: u32;
@group(0) @binding(1) var<uniform> chunk: u32;
@group(0) @binding(2) var<storage, read> offsets: array<u32>; // [sequences + 1]
//#if HAS_part
@group(0) @binding(11) var<uniform> part: u32;
//#end
//#if HAS_dropout
//#include "lib/dropout.wgsl"
@group(0) @binding(3) var<uniform> dropout: Dropout;
@group(0) @binding(4) var<storage, read> mask: array<u32>; // [tokens, group heads, words]: dropout bits of 32 keys each
//#end
//#if HAS_relative_index
@group(0) @binding(5) var<storage, read> relative_index: array<u32>; // [2 * longest - 1]
//#end
//#if HAS_c2p
@group(0) @binding(6) var<storage, read> c2p: array<f32>; // [tokens, group heads, buckets]
//#end
//#if HAS_p2c
@group(0) @binding(7) var<storage, read> p2c: array<f32>;
//#end
//#if HAS_sums
@group(0) @binding(9) var<storage, read_write> sums: array<f32>; // of dScore, [tokens, group heads, buckets], 0 at first
//#end
@group(0) @binding(10) var<uniform> units: vec4<f32>; // factor of dScores that are kept as f16, and its inverse
@group(0) @binding(8) var<storage, read_write> max_and_sum: array<vec2<f32>>; // [tokens, heads]
// What the backward of rows leaves for that of columns, [tokens of the chunk, group heads, rows]: transposed.
//#tensor weights ${BY_WORDS ? "update_words" : "update"} PAIR_STRIDE
//#tensor d_scores ${BY_WORDS ? "update_words" : "update"} PAIR_STRIDE
// [tokens, heads, head size]: the rows that an invocation or a workgroup owns, and the columns that it walks.
//#tensor query ${BY_WORDS ? "words" : "read"} HEAD_SIZE
//#tensor d_context ${BY_WORDS ? "words" : "read"} HEAD_SIZE
//#tensor context update HEAD_SIZE
//#tensor d_query write HEAD_SIZE
//#tensor d_key ${HAS_part ? "update" : "write"} HEAD_SIZE
//#tensor d_value ${HAS_part ? "update" : "write"} HEAD_SIZE
//#if WINDOW
//#tensor keys uniform HEAD_SIZE in WINDOW * HEAD_SIZE
//#tensor values uniform HEAD_SIZE in WINDOW * HEAD_SIZE
//#tensor queries uniform HEAD_SIZE in WINDOW * HEAD_SIZE
//#tensor d_contexts uniform HEAD_SIZE in WINDOW * HEAD_SIZE
//#else
//#tensor keys ${BY_WORDS ? "words" : "read"} HEAD_SIZE
//#tensor values ${BY_WORDS ? "words" : "read"} HEAD_SIZE
//#tensor queries ${BY_WORDS ? "words" : "read"} HEAD_SIZE
//#tensor d_contexts ${BY_WORDS ? "words" : "read"} HEAD_SIZE
//#end

fn head_at(token: u32, head: u32) -> u32 {
  return token * HEADS + head;
}

fn column_at(token: u32, head: u32) -> u32 {
  //#if WINDOW
  return token - chunk * CHUNK;
  //#else
  return head_at(token, head);
  //#end
}

fn total(quad: vec4<f32>) -> f32 {
  return (quad.x + quad.y) + (quad.z + quad.w);
}

struct Sequence {
  first: u32, // token
  length: u32, // 0: begins in another chunk
}

fn sequence_at(index: u32) -> Sequence {
  let first = offsets[index];
  return Sequence(first, select(0u, offsets[index + 1u] - first, first / CHUNK == chunk));
}

// The queries of a sequence whose pairs are kept: from the first on, to the end.
fn first_query() -> u32 {
  //#if HAS_part
  return part * ${PART}u;
  //#else
  return 0u;
  //#end
}

fn query_end(sequence: Sequence) -> u32 {
  //#if HAS_part
  return min(first_query() + ${PART}u, sequence.length);
  //#else
  return sequence.length;
  //#end
}

// Where what is kept of the pairs of a token begins.
fn pair_row(token: u32, local: u32) -> u32 {
  return (token - chunk * CHUNK) * GROUP_HEADS + local;
}

// Four rows of a sequence and a head. Past the end of the sequence they are its last one, and not owned.
struct Rows {
  token: vec4<u32>,
  owned: vec4<bool>,
  local: u32,
  scores: vec4<u32>, // where their position scores begin
}

fn rows_at(sequence: Sequence, row: u32, local: u32) -> Rows {
  let position = vec4(row) + vec4(0u, 1u, 2u, 3u);
  let token = vec4(sequence.first) + min(position, vec4(sequence.length - 1u));
  return Rows(token, position < vec4(sequence.length), local, (token * GROUP_HEADS + local) * BUCKETS);
}

// Dropout bits of the rows for 32 columns from `column` on, a multiple of 32.
fn kept_bits(rows: Rows, column: u32) -> vec4<u32> {
  //#if HAS_dropout
  if (dropout.threshold != 0u) {
    let at = (rows.token * GROUP_HEADS + rows.local) * ((LONGEST + 31u) / 32u) + column / 32u;
    return vec4(mask[at.x], mask[at.y], mask[at.z], mask[at.w]);
  }
  //#end
  return vec4(0xffffffffu);
}

fn is_kept(bits: vec4<u32>, column: u32) -> vec4<bool> {
  return ((bits >> vec4(column & 31u)) & vec4(1u)) != vec4(0u);
}

// What kept probabilities are multiplied by.
fn keep_scale() -> f32 {
  //#if HAS_dropout
  return select(dropout.scale, 1.0, dropout.threshold == 0u);
  //#else
  return 1.0;
  //#end
}

// The buckets of four rows and a column, and the rows' scores with them.
struct Position {
  bucket: vec4<u32>,
  c2p: vec4<f32>,
}

//#if HAS_relative_index
// Distances of pairs past the end of a sequence may lie outside the table.
fn bucket_of(distance: i32) -> u32 {
  return relative_index[u32(clamp(distance + i32(LONGEST) - 1, 0, 2 * i32(LONGEST) - 2))];
}
//#end

// `distance`: of the first row to the column.
fn position_at(rows: Rows, distance: i32) -> Position {
  var position = Position();
  //#if HAS_relative_index
  //#for R in 0..4
  position.bucket[${R}] = bucket_of(distance + ${R});
  //#if HAS_c2p
  position.c2p[${R}] = c2p[rows.scores[${R}] + position.bucket[${R}]];
  //#end
  //#end
  //#end
  return position;
}

// The same, given that of the column before. The distance of a row to this column is that of the row before to the column
// before. Buckets of a row come in order, and far from the diagonal they rarely change: only then something is read.
fn position_after(before: Position, rows: Rows, distance: i32) -> Position {
  var position = before;
  //#if HAS_relative_index
  position.bucket = vec4(bucket_of(distance), before.bucket.xyz);
  //#if HAS_c2p
  //#for R in 0..4
  if (position.bucket[${R}] != before.bucket[${R}]) {
    position.c2p[${R}] = c2p[rows.scores[${R}] + position.bucket[${R}]];
  }
  //#end
  //#end
  //#end
  return position;
}

// Scores of the rows and the key of token `column`, given their products.
fn scores_of(products: vec4<f32>, position: Position, column: u32, local: u32) -> vec4<f32> {
  var scores = products;
  //#if HAS_c2p
  scores += position.c2p;
  //#end
  //#if HAS_p2c
  let at = (column * GROUP_HEADS + local) * BUCKETS;
  var terms = vec4(p2c[at + position.bucket.x]);
  //#for R in 1..4
  terms[${R}] = terms[${R - 1}];
  if (position.bucket[${R}] != position.bucket[${R - 1}]) {
    terms[${R}] = p2c[at + position.bucket[${R}]];
  }
  //#end
  scores += terms;
  //#end
  return scores * SCALE;
}

// What the online softmax knows of four rows.
struct Softmax {
  highest: vec4<f32>,
  sum: vec4<f32>, // of exp(score - highest)
  shrink: vec4<f32>, // what sums so far are multiplied by where the highest score has risen
}

fn risen(softmax: Softmax, peak: vec4<f32>) -> Softmax {
  return Softmax(peak, softmax.sum, exp(softmax.highest - peak));
}


// What the backward needs to know of four rows.
struct Known {
  highest: vec4<f32>,
  share: vec4<f32>, // 1 / sum
  dot_context: vec4<f32>, // dContext . context
  keep: f32,
}

// Kept probabilities and dScores of four rows and a column.
struct Pairs {
  weights: vec4<f32>,
  d_scores: vec4<f32>,
}

fn pairs_of(known: Known, scores: vec4<f32>, d_probabilities: vec4<f32>, kept: vec4<bool>, owned: vec4<bool>) -> Pairs {
  // Of rows past the end, which have another row's maximum, it may be infinite.
  let probability = exp(scores - known.highest) * known.share;
  let factor = select(vec4(0.0), vec4(known.keep), kept & owned);
  let d_scores = SCALE * probability * fma(factor, d_probabilities, -known.dot_context);
  return Pairs(
    select(vec4(0.0), known.keep * probability, kept & owned),
    select(vec4(0.0), d_scores, owned),
  );
}

//#if HAS_sums
// The sums of dScore over the columns of the buckets that four rows are in.
struct BucketSums {
  bucket: vec4<u32>,
  so_far: vec4<f32>,
}

// `bucket`: those of the next column. Buckets of a row come in order: each sum is written once, or once in each part.
fn add_to_buckets(current: ptr<function, BucketSums>, rows: Rows, bucket: vec4<u32>, d_scores: vec4<f32>) {
  let before = *current;
  //#for R in 0..4
  if (rows.owned[${R}] && bucket[${R}] != before.bucket[${R}]) {
    sums[rows.scores[${R}] + before.bucket[${R}]] ${HAS_part ? "+=" : "="} before.so_far[${R}];
  }
  //#end
  *current = BucketSums(bucket, d_scores + select(before.so_far, vec4(0.0), bucket != before.bucket));
}

fn write_buckets(current: BucketSums, rows: Rows) {
  //#for R in 0..4
  if (rows.owned[${R}]) {
    sums[rows.scores[${R}] + current.bucket[${R}]] ${HAS_part ? "+=" : "="} current.so_far[${R}];
  }
  //#end
}

// The buckets of four keys and the query before the first, as if there were one.
fn key_buckets(row: u32) -> vec4<u32> {
  let distance = i32(first_query()) - 1 - i32(row);
  return vec4(bucket_of(distance), bucket_of(distance - 1), bucket_of(distance - 2), bucket_of(distance - 3));
}
//#end
