// The rest of a LayerNorm, when the sums to normalise stand in `y` and `sum` is this lane's part of their total:
//   x̂ = (z - mean) / sqrt(variance + EPS), y = x̂ * weight + bias, then dropout where OUTPUT_DROPOUT asks for it.
// The variance is taken around the mean in a pass of its own: E[z²] - E[z]² loses its digits where the mean is large.
fn normalise_row(row: u32, lane: u32, sum: Block) {
  let start = row * BLOCKS;
  let mean = row_sums(vec2(total(sum), 0.0), lane).x / f32(COLUMNS);
  var squares = Block();
  for (var block = lane; block < BLOCKS; block += LANES) {
    let centred = y[start + block] - mean;
    squares += centred * centred;
  }
  let variance = row_sums(vec2(total(squares), 0.0), lane).x / f32(COLUMNS);
  let scale = 1.0 / sqrt(variance + EPS);
  for (var block = lane; block < BLOCKS; block += LANES) {
    let at = start + block;
    let unit = (y[at] - mean) * scale;
    var value = unit * weight[block] + bias[block];
//#if OUTPUT_DROPOUT
    value *= dropout_block(dropout, at);
//#end
    y[at] = value;
//#if KEEP
    normalised[at] = unit;
//#end
  }
//#if KEEP
  if (lane == 0u) {
    rstd[row] = scale;
  }
//#end
}
