// Matrices that the invocations of a subgroup hold together: left [MATRIX_M, MATRIX_K] · right [MATRIX_K, MATRIX_N] of f16,
// added to a result [MATRIX_M, MATRIX_N] of f32 (chromium_experimental_subgroup_matrix). They come from and go to `words`,
// which the kernel declares: memory of the workgroup by words of 16 bytes, eight f16 or four f32. Places and strides count
// words. lib/matrix_operand.wgsl loads left and right.
// EMULATED: the same without such hardware. An invocation holds row `matrix_row` of left and result, and reads the right
// matrix where it lies when it multiplies; so no invocation waits for another.
// SIZED: what an entry point says that needs subgroups of SUBGROUP invocations where adapters have several sizes.
//#if EMULATED
//#include "lib/half.wgsl"
var<private> matrix_row: u32;

struct Left {
  row: array<f32, ${MATRIX_K}>
}
struct Right {
  at: u32
}
struct Result {
  row: array<vec4<f32>, ${MATRIX_N / 4}>
}

fn begin_matrices(lane: u32) {
  matrix_row = lane % ${MATRIX_M}u;
}

fn half_at(place: u32) -> f32 {
  return unpack2x16float(words[place / 8u][(place / 2u) % 4u])[place % 2u];
}

fn store_result(at: u32, stride: u32, result: Result) {
  for (var q = 0u; q < ${MATRIX_N / 4}u; q++) {
    words[at + matrix_row * stride + q] = bitcast<vec4<u32>>(result.row[q]);
  }
}

fn load_result(at: u32, stride: u32) -> Result {
  var result = Result();
  for (var q = 0u; q < ${MATRIX_N / 4}u; q++) {
    result.row[q] = bitcast<vec4<f32>>(words[at + matrix_row * stride + q]);
  }
  return result;
}

fn store_result_columns(at: u32, stride: u32, result: Result) {
  for (var n = 0u; n < ${MATRIX_N}u; n++) {
    words[at + n * stride + matrix_row / 4u][matrix_row % 4u] = bitcast<u32>(result.row[n / 4u][n % 4u]);
  }
}

fn halves_of(value: vec4<f32>) -> vec2<u32> {
  return narrow_f16(value);
}
//#else
//#requires f16
//#requires subgroups
//#requires chromium_experimental_subgroup_matrix
//#if SIZED
//#requires subgroup_size_control
//#end
// Whether a subgroup is of one mind depends on its number, which the compiler cannot follow.
diagnostic(off, chromium.subgroup_matrix_uniformity);

alias Left = subgroup_matrix_left<f16, ${MATRIX_K}, ${MATRIX_M}>;
alias Right = subgroup_matrix_right<f16, ${MATRIX_N}, ${MATRIX_K}>;
alias Result = subgroup_matrix_result<f32, ${MATRIX_N}, ${MATRIX_M}>;

fn begin_matrices(lane: u32) {
}

fn store_result(at: u32, stride: u32, result: Result) {
  subgroupMatrixStore<row_major>(&words, at, result, stride);
}

fn load_result(at: u32, stride: u32) -> Result {
  return subgroupMatrixLoad<Result, row_major>(&words, at, stride);
}

// One column after another, as quads of rows.
fn store_result_columns(at: u32, stride: u32, result: Result) {
  subgroupMatrixStore<col_major>(&words, at, result, stride);
}

fn halves_of(value: vec4<f32>) -> vec2<u32> {
  return bitcast<vec2<u32>>(vec4<f16>(value));
}
//#end
