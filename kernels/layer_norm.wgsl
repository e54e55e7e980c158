// LayerNorm over the columns of f32 [rows, COLUMNS], fused with what surrounds it (Ba et al., 2016):
//   forward   y = weight * x̂ + bias, x̂ = (z - mean(z)) * rstd, z = dropout(x) + residual; keeps x̂ and rstd
//   backward  g = dy * weight, dz = rstd * (g - mean(g) - x̂ * mean(g * x̂)), dResidual = dz, dx = dropout(dz)
//   partials  dWeight = sum of dy * x̂, dBias = sum of dy, over groups of GROUP rows; reduce.wgsl adds the groups
// INPUT_DROPOUT: dropout on x. OUTPUT_DROPOUT (backward and partials): the layer's output went through dropout.
//#include "lib/block.wgsl"
//#include "lib/row.wgsl"
//#if INPUT_DROPOUT || OUTPUT_DROPOUT
//#include "lib/dropout_block.wgsl"
@group(0) @binding(0) var<uniform> dropout: Dropout;
//#end

override EPS: f32;

@group(0) @binding(1) var<uniform> rows: u32;
@group(0) @binding(2) var<storage, read> weight: array<Block>;

//#if FORWARD
@group(0) @binding(3) var<storage, read> x: array<Block>;
@group(0) @binding(4) var<storage, read> residual: array<Block>;
@group(0) @binding(5) var<storage, read> bias: array<Block>;
@group(0) @binding(6) var<storage, read_write> y: array<Block>;
@group(0) @binding(7) var<storage, read_write> normalised: array<Block>;
@group(0) @binding(8) var<storage, read_write> rstd: array<f32>;

//#include "lib/normalise_row.wgsl"

@compute @workgroup_size(${LANES > 1 ? LANES : 8})
fn forward(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let row = row_of(group, grid, local);
  let lane = lane_of(local);
  if (row >= rows) {
    return;
  }
  var sum = Block();
  for (var block = lane; block < BLOCKS; block += LANES) {
    let at = row * BLOCKS + block;
    var value = x[at];
//#if INPUT_DROPOUT
    value *= dropout_block(dropout, at);
//#end
//#if RESIDUAL
    value += residual[at];
//#end
    y[at] = value;
    sum += value;
  }
  normalise_row(row, lane, sum);
}
//#else
@group(0) @binding(3) var<storage, read> dy: array<Block>;
@group(0) @binding(4) var<storage, read> normalised: array<Block>;
@group(0) @binding(5) var<storage, read> rstd: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<Block>;
@group(0) @binding(7) var<storage, read_write> dResidual: array<Block>;
@group(0) @binding(8) var<storage, read_write> weightPartials: array<Block>;
@group(0) @binding(9) var<storage, read_write> biasPartials: array<Block>;

fn gradient(at: u32) -> Block {
//#if OUTPUT_DROPOUT
  return dy[at] * dropout_block(dropout, at);
//#else
  return dy[at];
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
  var sum = Block();
  var product = Block();
  for (var block = lane; block < BLOCKS; block += LANES) {
    let at = row * BLOCKS + block;
    let g = gradient(at) * weight[block];
    sum += g;
    product += g * normalised[at];
  }
  let means = row_sums(vec2(total(sum), total(product)), lane) / f32(COLUMNS);
  let scale = rstd[row];
  for (var block = lane; block < BLOCKS; block += LANES) {
    let at = row * BLOCKS + block;
    let dz = scale * (gradient(at) * weight[block] - means.x - normalised[at] * means.y);
//#if DRESIDUAL
    dResidual[at] = dz;
//#end
//#if DX && INPUT_DROPOUT
    dx[at] = dz * dropout_block(dropout, at);
//#end
//#if DX && !INPUT_DROPOUT
    dx[at] = dz;
//#end
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
