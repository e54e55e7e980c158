// What every matrix product kernel declares: C(m, n) = sum over k of A(m, k) B(k, n).
// M, N, K: sizes, 0 for the one that is the batch's number of rows.
// A_K, B_K: whether the operand's rows run along k (A[m][k], B[n][k]) or along the other index (A[k][m], B[k][n]).
// VA, VB, VC: whether the matrix's rows are a multiple of 4 long, and it is read and written by vec4.
// A_UNIFORM, B_UNIFORM: vec4 in the window of the operand that is bound as a uniform, 0 if it is bound as storage.
@group(0) @binding(0) var<uniform> rows: u32;
//#if A_UNIFORM
@group(0) @binding(1) var<uniform> a: array<vec4<f32>, ${A_UNIFORM}>;
//#else
//#if VA
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
//#else
@group(0) @binding(1) var<storage, read> a: array<f32>;
//#end
//#end
//#if B_UNIFORM
@group(0) @binding(2) var<uniform> b: array<vec4<f32>, ${B_UNIFORM}>;
//#else
//#if VB
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
//#else
@group(0) @binding(2) var<storage, read> b: array<f32>;
//#end
//#end
//#if M == 0
fn size_m() -> u32 { return rows; }
//#else
fn size_m() -> u32 { return ${M}u; }
//#end
//#if K == 0
fn size_k() -> u32 { return rows; }
//#else
fn size_k() -> u32 { return ${K}u; }
//#end

//#if VC
alias Output = vec4<f32>;
//#else
alias Output = f32;
//#end
@group(0) @binding(3) var<storage, read_write> c: array<Output>;
//#if BIAS
@group(0) @binding(4) var<storage, read> bias: array<Output>;
//#end
//#if RESIDUAL
@group(0) @binding(5) var<storage, read> residual: array<Output>;
//#end
//#if PRE_ACTIVATION
@group(0) @binding(6) var<storage, read_write> pre_activation: array<Output>;
//#end
//#if GELU_BACKWARD
@group(0) @binding(12) var<storage, read> pre_activation_kept: array<Output>;
//#end
//#if ACTIVATION == 1 || GELU_BACKWARD
//#include "lib/gelu.wgsl"
//#end

// Writes finished sums: bias, activation, residual, or for a backward times gelu'(pre_activation_kept); added to what is
// there if ACCUMULATE. `slice` numbers the partial products of a split k; n counts elements of type Output.
fn finish(m: u32, n: u32, slice: u32, sum: Output) {
  let at = m * ${VC ? N / 4 : N}u + n;
  var value = sum;
//#if BIAS
  value += bias[n];
//#end
//#if PRE_ACTIVATION
  pre_activation[at] = value;
//#end
//#if ACTIVATION == 1
//#if VC
  value = vec4(gelu(value.x), gelu(value.y), gelu(value.z), gelu(value.w));
//#else
  value = gelu(value);
//#end
//#end
//#if ACTIVATION == 2
  value = tanh(value);
//#end
//#if GELU_BACKWARD
  let pre = pre_activation_kept[at];
//#if VC
  value *= vec4(gelu_derivative(pre.x), gelu_derivative(pre.y), gelu_derivative(pre.z), gelu_derivative(pre.w));
//#else
  value *= gelu_derivative(pre);
//#end
//#end
//#if RESIDUAL
  value += residual[at];
//#end
//#if ACCUMULATE
  value += c[at];
//#end
//#if SLICES > 1
  c[slice * size_m() * ${VC ? N / 4 : N}u + at] = value;
//#else
  c[at] = value;
//#end
}

// The same for four neighbours in a row of C, of which those past the row's end are left out.
fn finish_quad(m: u32, quad: u32, slice: u32, sum: vec4<f32>) {
//#if VC
  if (quad < ${N / 4}u) {
    finish(m, quad, slice, sum);
  }
//#else
//#for J in 0..4
  if (quad * 4u + ${J}u < ${N}u) {
    finish(m, quad * 4u + ${J}u, slice, sum[${J}]);
  }
//#end
//#end
}
