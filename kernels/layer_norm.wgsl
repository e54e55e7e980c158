// LayerNorm over the columns of f32 [rows, COLUMNS], fused with what surrounds it (Ba et al., 2016):
//   forward   y = weight * x̂ + bias, x̂ = (z - mean(z)) * rstd, z = dropout(x) + residual; keeps x̂ and rstd
//   backward  g = dy * weight, dz = rstd * (g - mean(g) - x̂ * mean(g * x̂)), dResidual = dz, dx = dropout(dz)
//   again     y = weight * x̂ + bias, where y was not kept
//   partials  dWeight = sum of dy * x̂, dBias = sum of dy, over groups of GROUP rows; reduce.wgsl adds the groups
// INPUT_DROPOUT: dropout on x. OUTPUT_DROPOUT (backward and partials): the layer's output went through dropout.
//#include "lib/block.wgsl"
//#include "lib/row.wgsl"
//#if INPUT_DROPOUT || OUTPUT_DROPOUT
//#include "lib/dropout_block.wgsl"
//#end

@group(0) @binding(0) var<uniform> rows: u32;

//#if FORWARD
@group(0) @binding(1) var<storage, read> x: array<Block>;
@group(0) @binding(2) var<storage, read> residual: array<Block>;

//#include "lib/normalise_row.wgsl"

fn summand(row: u32, block: u32) -> Block {
  let at = row * BLOCKS + block;
  var z = x[at];
//#if INPUT_DROPOUT
  z *= dropout_block(at);
//#end
//#if RESIDUAL
  z += residual[at];
//#end
  return z;
}

@compute @workgroup_size(${LANES > 1 ? LANES : 8})
fn forward(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_of(group, grid, local);
  if (row < rows) {
    normalise_row(row, lane_of(local));
  }
}
//#else
@group(0) @binding(1) var<storage, read> dy: array<Block>;
@group(0) @binding(2) var<storage, read> normalised: array<Block>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
//#if UNIFORM_WEIGHT
@group(0) @binding(4) var<uniform> weight: array<Block, ${COLUMNS / 4}>;
//#else
@group(0) @binding(4) var<storage, read> weight: array<Block>;
//#end
//#if UNIFORM_WEIGHT
@group(0) @binding(9) var<uniform> bias: array<Block, ${COLUMNS / 4}>;
//#else
@group(0) @binding(9) var<storage, read> bias: array<Block>;
//#end
@group(0) @binding(10) var<storage, read_write> y: array<Block>;
@group(0) @binding(5) var<storage, read_write> dx: array<Block>;
@group(0) @binding(6) var<storage, read_write> dResidual: array<Block>;
@group(0) @binding(7) var<storage, read_write> weightPartials: array<Block>;
@group(0) @binding(8) var<storage, read_write> biasPartials: array<Block>;

fn gradient(at: u32) -> Block {
//#if OUTPUT_DROPOUT
  return dy[at] * dropout_block(at);
//#else
  return dy[at];
//#end
}

fn write_block(at: u32, dz: Block) {
//#if DRESIDUAL
  dResidual[at] = dz;
//#end
//#if DX && INPUT_DROPOUT
  dx[at] = dz * dropout_block(at);
//#end
//#if DX && !INPUT_DROPOUT
  dx[at] = dz;
//#end
}

@compute @workgroup_size(${LANES > 1 ? LANES : 8})
fn backward(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_of(group, grid, local);
  let lane = lane_of(local);
  if (row >= rows) {
    return;
  }
  let start = row * BLOCKS;
  var sum = Block();
  var product = Block();
//#if LANES > 1 && HELD
//#for I in 0..HELD
  var g${I} = Block();
  var n${I} = Block();
  let block${I} = lane + ${I * LANES}u;
  if (block${I} < BLOCKS) {
    g${I} = gradient(start + block${I}) * weight[block${I}];
    n${I} = normalised[start + block${I}];
    sum += g${I};
    product += g${I} * n${I};
  }
//#end
  let means = row_sums(vec2(total(sum), total(product)), lane) / f32(COLUMNS);
  let scale = rstd[row];
//#for I in 0..HELD
  if (block${I} < BLOCKS) {
    write_block(start + block${I}, scale * (g${I} - means.x - n${I} * means.y));
  }
//#end
//#else
  for (var block = lane; block < BLOCKS; block += LANES) {
    let g = gradient(start + block) * weight[block];
    sum += g;
    product += g * normalised[start + block];
  }
  let means = row_sums(vec2(total(sum), total(product)), lane) / f32(COLUMNS);
  let scale = rstd[row];
  for (var block = lane; block < BLOCKS; block += LANES) {
    let at = start + block;
    write_block(at, scale * (gradient(at) * weight[block] - means.x - normalised[at] * means.y));
  }
//#end
}

@compute @workgroup_size(64)
fn again(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = linear_workgroup(group, grid) * 64u + local;
  if (at < rows * BLOCKS) {
    y[at] = normalised[at] * weight[at % BLOCKS] + bias[at % BLOCKS];
  }
}

const GROUP = ${GROUP}u;

// One invocation per block of columns and group of rows.
@compute @workgroup_size(32)
fn partials(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let tiles = (BLOCKS + 31u) / 32u;
  let id = linear_workgroup(group, grid);
  let block = id % tiles * 32u + local;
  let first = id / tiles * GROUP;
  if (first >= rows || block >= BLOCKS) {
    return;
  }
  let last = min(first + GROUP, rows);
  var weight_sum = Block();
  var bias_sum = Block();
  for (var row = first; row < last; row++) {
    let at = row * BLOCKS + block;
    let g = gradient(at);
    weight_sum += g * normalised[at];
    bias_sum += g;
  }
  weightPartials[id / tiles * BLOCKS + block] = weight_sum;
  biasPartials[id / tiles * BLOCKS + block] = bias_sum;
}
//#end
