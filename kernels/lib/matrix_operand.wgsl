// Operand OF of products of subgroup matrices: SIDE "Left" or "Right", its rows in `words` STRIDE words apart. ALONG_K:
// whether these run along k.
//#if EMULATED
fn load_${OF}_matrix(at: u32) -> ${SIDE} {
//#if SIDE == "Left"
  var left = Left();
  for (var k = 0u; k < ${MATRIX_K}u; k++) {
    left.row[k] = half_at(at * 8u + ${ALONG_K ? "matrix_row" : "k"} * ${STRIDE * 8}u + ${ALONG_K ? "k" : "matrix_row"});
  }
  return left;
//#else
  return Right(at);
//#end
}
//#if SIDE == "Right"

fn multiply_${OF}(left: Left, right: Right, sum: Result) -> Result {
  var result = sum;
  var row = left.row;
  for (var k = 0u; k < ${MATRIX_K}u; k++) {
    for (var q = 0u; q < ${MATRIX_N / 4}u; q++) {
      var quad = vec4<f32>();
      for (var i = 0u; i < 4u; i++) {
        let n = q * 4u + i;
        quad[i] = half_at(right.at * 8u + ${ALONG_K ? "n" : "k"} * ${STRIDE * 8}u + ${ALONG_K ? "k" : "n"});
      }
      result.row[q] = fma(vec4(row[k]), quad, result.row[q]);
    }
  }
  return result;
}
//#end
//#else
fn load_${OF}_matrix(at: u32) -> ${SIDE} {
  return subgroupMatrixLoad<${SIDE}, ${ALONG_K == (SIDE == "Left") ? "row_major" : "col_major"}>(&words, at, ${STRIDE}u);
}
//#if SIDE == "Right"

fn multiply_${OF}(left: Left, right: Right, sum: Result) -> Result {
  return subgroupMatrixMultiplyAccumulate(left, right, sum);
}
//#end
//#end
