// Pooling x [tokens, COLUMNS] to pooled [sequences, COLUMNS] by attention to a learnt query:
//   score    x · query, of each token
//   weigh    weight = softmax of the scores over the tokens of a sequence
//   pool     pooled = sum of weight * x over the tokens of a sequence
//   d_score  weight * ((x - pooled) · d_pooled): the derivative of softmax, its mean already taken off
//   d_input  dx = weight * d_pooled + d_score * query
// The gradient of the query is the sum over sequences of what `pool` makes of the d_score.
//#include "lib/row.wgsl"

@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> sequence_of: array<u32>;
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;
@group(0) @binding(4) var<storage, read_write> weights: array<f32>;
@group(0) @binding(5) var<storage, read> factors: array<f32>; // weights or d_scores
@group(0) @binding(6) var<storage, read_write> d_scores: array<f32>;
//#tensor x read COLUMNS
//#tensor query read COLUMNS
//#tensor pooled read COLUMNS
//#tensor d_pooled read COLUMNS
//#tensor sums write COLUMNS
//#tensor dx write COLUMNS

@compute @workgroup_size(${THREADS})
fn score(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let token = row_of(group, grid, local);
  let lane = lane_of(local);
  if (token >= rows) {
    return;
  }
  var sum = vec4<f32>();
  for (var quad = lane; quad < QUADS; quad += ${LANES}u) {
    sum += load_x(token, quad) * load_query(0u, quad);
  }
  let total = row_sums(sum, vec4<f32>(), lane).x;
  if (lane == 0u) {
    scores[token] = total;
  }
}

@compute @workgroup_size(${THREADS})
fn d_score(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let token = row_of(group, grid, local);
  let lane = lane_of(local);
  if (token >= rows) {
    return;
  }
  let sequence = sequence_of[token];
  var sum = vec4<f32>();
  for (var quad = lane; quad < QUADS; quad += ${LANES}u) {
    sum += (load_x(token, quad) - load_pooled(sequence, quad)) * load_d_pooled(sequence, quad);
  }
  let total = row_sums(sum, vec4<f32>(), lane).x;
  if (lane == 0u) {
    d_scores[token] = factors[token] * total;
  }
}

var<workgroup> lane_values: array<f32, 32>;

// The largest, or the sum, of a workgroup's 32 values; the same bits in every lane.
fn combined(value: f32, local: u32, largest: bool) -> f32 {
  workgroupBarrier();
  lane_values[local] = value;
  workgroupBarrier();
//#for STEP in 1..6
  if (local < ${32 / 2 ** STEP}u) {
    let other = lane_values[local + ${32 / 2 ** STEP}u];
    lane_values[local] = select(lane_values[local] + other, max(lane_values[local], other), largest);
  }
  workgroupBarrier();
//#end
  return lane_values[0];
}

// A workgroup per sequence.
@compute @workgroup_size(32)
fn weigh(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let sequence = linear_workgroup(group, grid);
  if (sequence >= rows) {
    return;
  }
  let begin = offsets[sequence];
  let end = offsets[sequence + 1u];
  var most = scores[begin];
  for (var token = begin + local; token < end; token += 32u) {
    most = max(most, scores[token]);
  }
  most = combined(most, local, true);
  var sum = 0.0;
  for (var token = begin + local; token < end; token += 32u) {
    sum += exp(scores[token] - most);
  }
  sum = combined(sum, local, false);
  for (var token = begin + local; token < end; token += 32u) {
    weights[token] = exp(scores[token] - most) / sum;
  }
}

// One invocation per sequence and quad of columns.
@compute @workgroup_size(32)
fn pool(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let to = quad_at(linear_workgroup(group, grid) * 32u + local);
  if (to.row >= rows) {
    return;
  }
  let end = offsets[to.row + 1u];
  // Four chains of additions, so that one does not wait for the other.
  var chains = array<vec4<f32>, 4>();
  var token = offsets[to.row];
  for (; token + 4u <= end; token += 4u) {
//#for I in 0..4
    chains[${I}] += factors[token + ${I}u] * load_x(token + ${I}u, to.quad);
//#end
  }
  for (; token < end; token++) {
    chains[0] += factors[token] * load_x(token, to.quad);
  }
  store_sums(to.row, to.quad, (chains[0] + chains[1]) + (chains[2] + chains[3]));
}

// One invocation per token and quad of columns.
@compute @workgroup_size(32)
fn d_input(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let to = quad_at(linear_workgroup(group, grid) * 32u + local);
  if (to.row >= rows) {
    return;
  }
  let flowing = factors[to.row] * load_d_pooled(sequence_of[to.row], to.quad);
  store_dx(to.row, to.quad, flowing + d_scores[to.row] * load_query(0u, to.quad));
}
