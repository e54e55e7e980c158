// The result C [m, N] of a matrix product, and what is done to finished sums on their way there.
//#include "lib/gelu.wgsl"
//#tensor c update C_STRIDE
//#include "lib/product_operand.wgsl" OF="c" STRIDE=C_STRIDE STEP=C_STEP FIRST=HAS_c_first BINDING=3 WRITE=1 UNIT=4
//#tensor bias read N
//#tensor residual read N
//#tensor pre_activation write N
//#tensor pre_activation_kept read N
//#tensor activated_again write N

// Four neighbours in row m of C: bias, activation, residual, or for a backward times gelu'(pre_activation_kept), whose gelu
// is written again where it was not kept; added to what is there if ACCUMULATE. What is past the row's end is left out.
fn finish(matrix: u32, m: u32, quad: u32, sum: vec4<f32>) {
  if (quad >= ${(N + 3 - (N + 3) % 4) / 4}u) {
    return;
  }
  var value = sum;
//#if HAS_bias
  value += load_bias(0u, quad);
//#end
//#if HAS_pre_activation
  store_pre_activation(m, quad, value);
//#end
//#if ACTIVATION == "gelu"
  value = gelu_quad(value);
//#end
//#if ACTIVATION == "tanh"
  value = tanh(clamp(value, vec4(-20.0), vec4(20.0))); // exp(x) of some drivers' tanh overflows far out
//#end
//#if HAS_pre_activation_kept
  let kept = load_pre_activation_kept(m, quad);
  value *= gelu_derivative_quad(kept);
//#if HAS_activated_again
  store_activated_again(m, quad, gelu_quad(kept));
//#end
//#end
//#if HAS_residual
  value += load_residual(m, quad);
//#end
  let begin = c_begin(matrix, m);
//#if ACCUMULATE
  value += read_c(begin, quad);
//#end
  write_c(begin, quad, value);
}
