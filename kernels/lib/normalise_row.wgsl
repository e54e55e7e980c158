// One row of a LayerNorm, z = summand(row, block) being what is normalised:
//   x̂ = (z - mean) / sqrt(variance + EPS), y = x̂ * weight + bias, then dropout where OUTPUT_DROPOUT asks for it.
// The variance is taken around the mean in a pass of its own: E[z²] - E[z]² loses its digits where the mean is large.
// A lane keeps its HELD blocks of z, in registers where lanes share the row, in an array where one walks it alone; where
// a row is too long for that (HELD 0), they wait in y.
override EPS: f32;

@group(0) @binding(22) var<storage, read_write> y: array<Block>;
@group(0) @binding(23) var<storage, read_write> normalised: array<Block>;
@group(0) @binding(24) var<storage, read_write> rstd: array<f32>;
//#if UNIFORM_WEIGHT
@group(0) @binding(25) var<uniform> weight: array<Block, ${COLUMNS / 4}>;
@group(0) @binding(26) var<uniform> bias: array<Block, ${COLUMNS / 4}>;
//#else
@group(0) @binding(25) var<storage, read> weight: array<Block>;
@group(0) @binding(26) var<storage, read> bias: array<Block>;
//#end

fn finish_block(at: u32, block: u32, centred: Block, scale: f32) {
  let unit = centred * scale;
//#if OUTPUT_DROPOUT
  y[at] = (unit * weight[block] + bias[block]) * dropout_block(at);
//#else
  y[at] = unit * weight[block] + bias[block];
//#end
//#if KEEP
  normalised[at] = unit;
//#end
}

//#if HELD && LANES == 1
var<private> held: array<Block, ${HELD}>;
//#end

fn hold(block: u32, at: u32, z: Block) {
//#if HELD && LANES == 1
  held[block] = z;
//#else
  y[at] = z;
//#end
}

fn held_at(block: u32, at: u32) -> Block {
//#if HELD && LANES == 1
  return held[block];
//#else
  return y[at];
//#end
}

fn normalise_row(row: u32, lane: u32) {
  let start = row * BLOCKS;
  var sum = Block();
  var squares = Block();
//#if LANES > 1 && HELD
//#for I in 0..HELD
  var z${I} = Block();
  let block${I} = lane + ${I * LANES}u;
  if (block${I} < BLOCKS) {
    z${I} = summand(row, block${I});
    sum += z${I};
  }
//#end
  let mean = row_sums(vec2(total(sum), 0.0), lane).x / f32(COLUMNS);
//#for I in 0..HELD
  if (block${I} < BLOCKS) {
    z${I} -= mean;
    squares += z${I} * z${I};
  }
//#end
  let scale = 1.0 / sqrt(row_sums(vec2(total(squares), 0.0), lane).x / f32(COLUMNS) + EPS);
//#for I in 0..HELD
  if (block${I} < BLOCKS) {
    finish_block(start + block${I}, block${I}, z${I}, scale);
  }
//#end
//#else
  for (var block = lane; block < BLOCKS; block += LANES) {
    let z = summand(row, block);
    hold(block, start + block, z);
    sum += z;
  }
  let mean = row_sums(vec2(total(sum), 0.0), lane).x / f32(COLUMNS);
  for (var block = lane; block < BLOCKS; block += LANES) {
    let centred = held_at(block, start + block) - mean;
    squares += centred * centred;
  }
  let scale = 1.0 / sqrt(row_sums(vec2(total(squares), 0.0), lane).x / f32(COLUMNS) + EPS);
  for (var block = lane; block < BLOCKS; block += LANES) {
    finish_block(start + block, block, held_at(block, start + block) - mean, scale);
  }
//#end
//#if KEEP
  if (lane == 0u) {
    rstd[row] = scale;
  }
//#end
}
