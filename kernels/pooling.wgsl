// Pooling x [tokens, COLUMNS] to pooled [sequences, COLUMNS], one value per sequence and column: the "first" token's, the
// "mean" or the "max" (of equals the first; its token goes to argmax, u32 [sequences, QUADS * 4]).
// backward writes all of dx: zero wherever nothing flows.
//#include "lib/quads.wgsl"

@group(0) @binding(1) var<storage, read> offsets: array<u32>;

//#if HAS_x
//#tensor x read COLUMNS
//#tensor pooled write COLUMNS
@group(0) @binding(2) var<storage, read_write> argmax: array<vec4<u32>>;

// One invocation per sequence (`rows` of them) and quad of columns.
@compute @workgroup_size(32)
fn forward(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let to = quad_at(linear_workgroup(group, grid) * 32u + local);
  if (to.row >= rows) {
    return;
  }
  let begin = offsets[to.row];
  let end = offsets[to.row + 1u];
//#if KIND == "first"
  store_pooled(to.row, to.quad, load_x(begin, to.quad));
//#end
//#if KIND == "mean"
  // Four chains of additions, so that one does not wait for the other.
  var sums = array<vec4<f32>, 4>();
  var token = begin;
  for (; token + 4u <= end; token += 4u) {
//#for I in 0..4
    sums[${I}] += load_x(token + ${I}u, to.quad);
//#end
  }
  for (; token < end; token++) {
    sums[0] += load_x(token, to.quad);
  }
  let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  store_pooled(to.row, to.quad, sum / f32(max(end - begin, 1u)));
//#end
//#if KIND == "max"
  var best = load_x(begin, to.quad);
  var best_token = vec4(begin);
  for (var token = begin + 1u; token < end; token++) {
    let value = load_x(token, to.quad);
    best_token = select(best_token, vec4(token), value > best);
    best = select(best, value, value > best);
  }
  store_pooled(to.row, to.quad, best);
  argmax[to.row * QUADS + to.quad] = best_token;
//#end
}
//#else
//#tensor d_pooled read COLUMNS
//#tensor dx write COLUMNS
@group(0) @binding(2) var<storage, read> argmax: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> sequence_of: array<u32>;

// One invocation per token (`rows` of them) and quad of columns.
@compute @workgroup_size(32)
fn backward(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let to = quad_at(linear_workgroup(group, grid) * 32u + local);
  if (to.row >= rows) {
    return;
  }
  let sequence = sequence_of[to.row];
  var d = load_d_pooled(sequence, to.quad);
//#if KIND == "first"
  d = select(vec4<f32>(), d, to.row == offsets[sequence]);
//#end
//#if KIND == "mean"
  d /= f32(offsets[sequence + 1u] - offsets[sequence]);
//#end
//#if KIND == "max"
  d = select(vec4<f32>(), d, vec4(to.row) == argmax[sequence * QUADS + to.quad]);
//#end
  store_dx(to.row, to.quad, d);
}
//#end
