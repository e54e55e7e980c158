// What turns a convolution along the tokens of a sequence into a product (Chellapilla et al., 2006), SIZE taps wide and
// centred; a tap beyond the sequence's ends is 0. CHANNELS columns in, UNFOLDED = CHANNELS * SIZE.
//   unfold   u[t, i * SIZE + k] = x[t + k - SIZE / 2, i]
//   fold     dx[t, i] += sum over k of du[t - k + SIZE / 2, i * SIZE + k], in the order of k
// A convolution in GROUPS has weights [out, CHANNELS / GROUPS, SIZE], which stand for a matrix with zeros elsewhere:
//   spread   weight[o, i * SIZE + k] from them;   gather   their gradient += that of the matrix
//#include "lib/quads.wgsl"

override CHANNELS: u32;
override SIZE: u32;

//#if HAS_offsets
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> sequence_of: array<u32>;

// Whether tokens `token` + `ahead` - `behind` and `token` are in one sequence.
fn is_inside(token: u32, ahead: u32, behind: u32) -> bool {
  let sequence = sequence_of[token];
  let to = token + ahead;
  return to >= offsets[sequence] + behind && to < offsets[sequence + 1u] + behind;
}

//#if HAS_u
//#tensor x read CHANNELS
//#tensor u write COLUMNS

@compute @workgroup_size(64)
fn unfold(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let to = quad_at(linear_workgroup(group, grid) * 64u + local);
  if (to.row >= rows) {
    return;
  }
  var value = vec4<f32>();
  for (var j = 0u; j < 4u; j++) {
    let column = to.quad * 4u + j;
    let tap = column % SIZE;
    let channel = column / SIZE;
    if (channel < CHANNELS && is_inside(to.row, tap, SIZE / 2u)) {
      value[j] = load_x(to.row + tap - SIZE / 2u, channel / 4u)[channel % 4u];
    }
  }
  store_u(to.row, to.quad, value);
}
//#else
//#tensor du read UNFOLDED
//#tensor dx update COLUMNS

@compute @workgroup_size(64)
fn fold(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let to = quad_at(linear_workgroup(group, grid) * 64u + local);
  if (to.row >= rows) {
    return;
  }
  var sum = vec4<f32>();
  for (var tap = 0u; tap < SIZE; tap++) {
    if (!is_inside(to.row, SIZE / 2u, tap)) {
      continue;
    }
    for (var j = 0u; j < min(4u, CHANNELS - to.quad * 4u); j++) {
      let column = (to.quad * 4u + j) * SIZE + tap;
      sum[j] += load_du(to.row + SIZE / 2u - tap, column / 4u)[column % 4u];
    }
  }
  store_dx(to.row, to.quad, load_dx(to.row, to.quad) + sum);
}
//#end
//#else
override GROUPS: u32;

// Of output `row`: its first column of the matrix, and the number of columns that its group has.
fn columns_of(row: u32) -> vec2<u32> {
  let width = CHANNELS / GROUPS * SIZE;
  return vec2(row / (rows / GROUPS) * width, width);
}

//#if HAS_weight
//#tensor grouped read UNFOLDED
//#tensor weight write COLUMNS

@compute @workgroup_size(64)
fn spread(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let to = quad_at(linear_workgroup(group, grid) * 64u + local);
  if (to.row >= rows) {
    return;
  }
  let columns = columns_of(to.row);
  var value = vec4<f32>();
  for (var j = 0u; j < 4u; j++) {
    let column = to.quad * 4u + j;
    if (column >= columns.x && column - columns.x < columns.y) {
      let inner = column - columns.x;
      value[j] = load_grouped(to.row, inner / 4u)[inner % 4u];
    }
  }
  store_weight(to.row, to.quad, value);
}
//#else
//#tensor d_weight read UNFOLDED
//#tensor d_grouped update COLUMNS

@compute @workgroup_size(64)
fn gather(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let to = quad_at(linear_workgroup(group, grid) * 64u + local);
  if (to.row >= rows) {
    return;
  }
  let first = columns_of(to.row).x;
  var value = load_d_grouped(to.row, to.quad);
  for (var j = 0u; j < 4u; j++) {
    let column = first + to.quad * 4u + j;
    if (to.quad * 4u + j < ${COLUMNS}u) {
      value[j] += load_d_weight(to.row, column / 4u)[column % 4u];
    }
  }
  store_d_grouped(to.row, to.quad, value);
}
//#end
//#end
