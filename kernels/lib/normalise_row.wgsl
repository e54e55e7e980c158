// One row of a LayerNorm, z = summand(row, quad) being what is normalised, 0 past the end of the row:
//   x̂ = (z - mean) / sqrt(variance + EPS), y = x̂ * weight + bias, then dropout where OUTPUT_DROPOUT asks for it.
// The variance is taken around the mean in a pass of its own: E[z²] - E[z]² loses its digits where the mean is large.
// x̂ and rstd are written where they are bound. AGAIN: then y is made of x̂ as it is stored, so that it can be made again.
//#include "lib/row.wgsl"
//#include "lib/weight_and_bias.wgsl"

override EPS: f32;

//#tensor y write COLUMNS
//#tensor normalised write COLUMNS
@group(0) @binding(22) var<storage, read_write> rstd: array<f32>;

fn centred(quad: u32, z: vec4<f32>, mean: f32) -> vec4<f32> {
  return select(vec4<f32>(), z - mean, in_row(quad));
}

fn finish_quad(row: u32, quad: u32, exact: vec4<f32>) {
  if (quad >= QUADS) {
    return;
  }
//#if AGAIN && TYPE_normalised != "f32"
  let unit = widen_${TYPE_normalised}(narrow_${TYPE_normalised}(exact));
//#else
  let unit = exact;
//#end
//#if OUTPUT_DROPOUT
  store_y(row, quad, (unit * load_weight(0u, quad) + load_bias(0u, quad)) * dropout_at(row, quad));
//#else
  store_y(row, quad, unit * load_weight(0u, quad) + load_bias(0u, quad));
//#end
//#if HAS_normalised
  store_normalised(row, quad, unit);
//#end
}

fn normalise_row(row: u32, lane: u32) {
  var sum = vec4<f32>();
  var squares = vec4<f32>();
//#for I in 0..HELD
  let quad${I} = lane + ${I * LANES}u;
  var z${I} = vec4<f32>();
  if (quad${I} < QUADS) {
    z${I} = summand(row, quad${I});
  }
  sum += z${I};
//#end
//#if !HELD
  for (var quad = lane; quad < QUADS; quad += ${LANES}u) {
    sum += summand(row, quad);
  }
//#end
  let mean = row_sums(sum, vec4<f32>(), lane).x / ${COLUMNS}.0;
//#for I in 0..HELD
  z${I} = centred(quad${I}, z${I}, mean);
  squares += z${I} * z${I};
//#end
//#if !HELD
  for (var quad = lane; quad < QUADS; quad += ${LANES}u) {
    let z = centred(quad, summand(row, quad), mean);
    squares += z * z;
  }
//#end
  let scale = 1.0 / sqrt(row_sums(squares, vec4<f32>(), lane).x / ${COLUMNS}.0 + EPS);
//#for I in 0..HELD
  finish_quad(row, quad${I}, z${I} * scale);
//#end
//#if !HELD
  for (var quad = lane; quad < QUADS; quad += ${LANES}u) {
    finish_quad(row, quad, (summand(row, quad) - mean) * scale);
  }
//#end
//#if HAS_rstd
  if (lane == 0u) {
    rstd[row] = scale;
  }
//#end
}
