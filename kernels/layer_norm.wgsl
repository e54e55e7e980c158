// LayerNorm over the columns of [rows, COLUMNS], fused with what surrounds it (Ba et al., 2016):
//   forward   y = weight * x̂ + bias, x̂ = (z - mean(z)) * rstd, z = dropout(x) + residual; keeps x̂ and rstd
//   backward  g = dy * weight, dz = rstd * (g - mean(g) - x̂ * mean(g * x̂)), d_residual = dz, dx = dropout(dz)
//   again     y = weight * x̂ + bias, where y was not kept
//   partials  d_weight = sum of dy * x̂, d_bias = sum of dy, over groups of GROUP rows; reduce.wgsl adds the groups
// OUTPUT_DROPOUT (backward and partials): not x but the layer's output went through dropout.
//#if HAS_dropout
//#include "lib/dropout_quad.wgsl"
//#end

//#if HAS_x
//#tensor x read COLUMNS
//#tensor residual read COLUMNS
//#include "lib/normalise_row.wgsl" AGAIN=1

fn summand(row: u32, quad: u32) -> vec4<f32> {
  var z = load_x(row, quad);
//#if HAS_dropout
  z *= dropout_at(row, quad);
//#end
//#if HAS_residual
  z += load_residual(row, quad);
//#end
  return z;
}

@compute @workgroup_size(${THREADS})
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
//#include "lib/row.wgsl"
//#include "lib/weight_and_bias.wgsl"
//#tensor dy read COLUMNS
//#tensor normalised read COLUMNS
//#tensor y write COLUMNS
//#tensor dx write COLUMNS
//#tensor d_residual write COLUMNS
//#tensor weight_partials write COLUMNS
//#tensor bias_partials write COLUMNS
@group(0) @binding(1) var<storage, read> rstd: array<f32>;

// Of weight * x̂ + bias.
fn gradient(row: u32, quad: u32) -> vec4<f32> {
//#if OUTPUT_DROPOUT
  return load_dy(row, quad) * dropout_at(row, quad);
//#else
  return load_dy(row, quad);
//#end
}

// dz, given g and x̂, and the means over the row of g and of g * x̂.
fn finish_quad(row: u32, quad: u32, g: vec4<f32>, unit: vec4<f32>, means: vec2<f32>) {
  if (quad >= QUADS) {
    return;
  }
  let dz = rstd[row] * (g - means.x - unit * means.y);
//#if HAS_d_residual
  store_d_residual(row, quad, dz);
//#end
//#if HAS_dx
//#if HAS_dropout && !OUTPUT_DROPOUT
  store_dx(row, quad, dz * dropout_at(row, quad));
//#else
  store_dx(row, quad, dz);
//#end
//#end
}

@compute @workgroup_size(${THREADS})
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
  var sum = vec4<f32>();
  var product = vec4<f32>();
//#for I in 0..HELD
  let quad${I} = lane + ${I * LANES}u;
  var g${I} = vec4<f32>();
  var unit${I} = vec4<f32>();
  if (quad${I} < QUADS) {
    g${I} = gradient(row, quad${I}) * load_weight(0u, quad${I});
    unit${I} = load_normalised(row, quad${I});
  }
  sum += g${I};
  product += g${I} * unit${I};
//#end
//#if !HELD
  for (var quad = lane; quad < QUADS; quad += ${LANES}u) {
    let g = gradient(row, quad) * load_weight(0u, quad);
    sum += g;
    product += g * load_normalised(row, quad);
  }
//#end
  let means = row_sums(sum, product, lane) / ${COLUMNS}.0;
//#for I in 0..HELD
  finish_quad(row, quad${I}, g${I}, unit${I}, means);
//#end
//#if !HELD
  for (var quad = lane; quad < QUADS; quad += ${LANES}u) {
    finish_quad(row, quad, gradient(row, quad) * load_weight(0u, quad), load_normalised(row, quad), means);
  }
//#end
}

@compute @workgroup_size(64)
fn again(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = quad_at(linear_workgroup(group, grid) * 64u + local);
  if (at.row < rows) {
    store_y(at.row, at.quad, load_normalised(at.row, at.quad) * load_weight(0u, at.quad) + load_bias(0u, at.quad));
  }
}

// One invocation per quad of columns and group of rows.
@compute @workgroup_size(32)
fn partials(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let group = quad_of(linear_workgroup(workgroup, grid), local);
  let first = group.row * ${GROUP}u;
  if (first >= rows || group.quad >= QUADS) {
    return;
  }
  var weight_sum = vec4<f32>();
  var bias_sum = vec4<f32>();
  for (var row = first; row < min(first + ${GROUP}u, rows); row++) {
    let g = gradient(row, group.quad);
    weight_sum += g * load_normalised(row, group.quad);
    bias_sum += g;
  }
  store_weight_partials(group.row, group.quad, weight_sum);
  store_bias_partials(group.row, group.quad, bias_sum);
}
//#end
