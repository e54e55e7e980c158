// Rows of the matrices in tensor OF, STRIDE elements apart; a matrix begins STEP elements after the one before. Read and
// written by quads, or read by words of 16 bytes: UNIT elements. Only rows that follow one another without a gap may have
// lengths that are no multiple of it.
//#if FIRST
@group(0) @binding(${BINDING}) var<uniform> ${OF}_first: u32; // number of the batch's first matrix
//#end

// Where a row begins, for read and write.
fn ${OF}_begin(matrix: u32, row: u32) -> u32 {
//#if STRIDE % UNIT
  return matrix * ${STEP / STRIDE}u + row;
//#else
//#if FIRST
  return (${OF}_first + matrix) * ${STEP / UNIT}u + row * ${STRIDE / UNIT}u;
//#else
  return matrix * ${STEP / UNIT}u + row * ${STRIDE / UNIT}u;
//#end
//#end
}

fn read_${OF}(begin: u32, unit: u32) -> vec4<${UNIT == 8 ? "u32" : "f32"}> {
//#if STRIDE % UNIT
  return load_${OF}(begin, unit);
//#else
  return load_${OF}(0u, begin + unit);
//#end
}
//#if WRITE

fn write_${OF}(begin: u32, quad: u32, value: vec4<f32>) {
//#if STRIDE % UNIT
  store_${OF}(begin, quad, value);
//#else
  store_${OF}(0u, begin + quad, value);
//#end
}
//#end
