// Rows of the matrices in tensor OF, STRIDE elements apart; a matrix begins STEP elements after the one before. Only rows
// that follow one another without a gap may have lengths that are no multiple of 4.
//#if FIRST
@group(0) @binding(${BINDING}) var<uniform> ${OF}_first: u32; // number of the batch's first matrix
//#end

// Where a row begins, for read and write.
fn ${OF}_begin(matrix: u32, row: u32) -> u32 {
//#if STRIDE % 4
  return matrix * ${STEP / STRIDE}u + row;
//#else
//#if FIRST
  return (${OF}_first + matrix) * ${STEP / 4}u + row * ${STRIDE / 4}u;
//#else
  return matrix * ${STEP / 4}u + row * ${STRIDE / 4}u;
//#end
//#end
}

fn read_${OF}(begin: u32, quad: u32) -> vec4<f32> {
//#if STRIDE % 4
  return load_${OF}(begin, quad);
//#else
  return load_${OF}(0u, begin + quad);
//#end
}
//#if WRITE

fn write_${OF}(begin: u32, quad: u32, value: vec4<f32>) {
//#if STRIDE % 4
  store_${OF}(begin, quad, value);
//#else
  store_${OF}(0u, begin + quad, value);
//#end
}
//#end
