// Pooling f32 x [tokens, COLUMNS] to pooled [sequences, COLUMNS], one value per sequence and column; KIND 0: the first
// token's, 1: the mean, 2: the maximum (of equals the first; its token goes to argmax u32 [sequences, COLUMNS]).
// backward writes all of dx: zero wherever nothing flows.
//#include "lib/linear_id.wgsl"
//#include "lib/block.wgsl"

@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;

//#if FORWARD
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> pooled: array<f32>;
@group(0) @binding(4) var<storage, read_write> argmax: array<u32>;

// One invocation per sequence (`rows` of them) and column.
@compute @workgroup_size(32)
fn forward(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let tiles = (COLUMNS + 31u) / 32u;
  let id = linear_workgroup(group, grid);
  let sequence = id / tiles;
  let column = id % tiles * 32u + local;
  if (sequence >= rows || column >= COLUMNS) {
    return;
  }
  let begin = offsets[sequence];
  let end = offsets[sequence + 1u];
  let out = sequence * COLUMNS + column;
//#if KIND == 0
  pooled[out] = x[begin * COLUMNS + column];
//#end
//#if KIND == 1
  // Four chains of additions, so that one does not wait for the other.
  var sums = vec4<f32>();
  var token = begin;
  for (; token + 4u <= end; token += 4u) {
    let at = token * COLUMNS + column;
    sums += vec4(x[at], x[at + COLUMNS], x[at + 2u * COLUMNS], x[at + 3u * COLUMNS]);
  }
  for (; token < end; token++) {
    sums.x += x[token * COLUMNS + column];
  }
  pooled[out] = ((sums.x + sums.y) + (sums.z + sums.w)) / f32(max(end - begin, 1u));
//#end
//#if KIND == 2
  var best = x[begin * COLUMNS + column];
  var best_token = begin;
  for (var token = begin + 1u; token < end; token++) {
    let value = x[token * COLUMNS + column];
    if (value > best) {
      best = value;
      best_token = token;
    }
  }
  pooled[out] = best;
  argmax[out] = best_token;
//#end
}
//#else
//#if COLUMNS % 4 == 0
alias Tokens = vec4<u32>;
//#else
alias Tokens = u32;
//#end

@group(0) @binding(2) var<storage, read> dPooled: array<Block>;
@group(0) @binding(3) var<storage, read> sequenceOf: array<u32>;
@group(0) @binding(4) var<storage, read> argmax: array<Tokens>;
@group(0) @binding(5) var<storage, read_write> dx: array<Block>;

// One invocation per token (`rows` of them) and block of columns.
@compute @workgroup_size(32)
fn backward(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = linear_workgroup(group, grid) * 32u + local;
  let token = at / BLOCKS;
  if (token >= rows) {
    return;
  }
  let sequence = sequenceOf[token];
  let source = sequence * BLOCKS + at % BLOCKS;
//#if KIND == 0
  var d = Block();
  if (token == offsets[sequence]) {
    d = dPooled[source];
  }
  dx[at] = d;
//#end
//#if KIND == 1
  dx[at] = dPooled[source] / f32(offsets[sequence + 1u] - offsets[sequence]);
//#end
//#if KIND == 2
  dx[at] = select(Block(), dPooled[source], Tokens(token) == argmax[source]);
//#end
}
//#end
