// erf by N. Juffa's minimax polynomials (error below 1 ulp with an exact exp), and the exact GELU built on it:
// x Phi(x), Phi(x) = (1 + erf(x / sqrt 2)) / 2; Hendrycks & Gimpel, "Gaussian Error Linear Units", 2016.
//#once
// Both ranges are computed and one is selected: branches cost more than a few products.
fn erf(x: f32) -> f32 {
  // Beyond 4 the result is 1 to the last bit; the polynomial is good as far as that.
  let t = min(abs(x), 4.0);
  let s = t * t;
  var outer = fma(-1.72853470e-5, t, 3.83197126e-4);
  outer = fma(outer, s, fma(-3.88396438e-3, t, 2.42546219e-2));
  outer = fma(outer, t, -1.06777877e-1);
  outer = fma(outer, t, -6.34846687e-1);
  outer = fma(outer, t, -1.28717512e-1);
  outer = fma(outer, t, -t);
  var inner = fma(-5.96761703e-4, s, 4.99119423e-3);
  inner = fma(inner, s, -2.67681349e-2);
  inner = fma(inner, s, 1.12819925e-1);
  inner = fma(inner, s, -3.76125336e-1);
  inner = fma(inner, s, 1.28379166e-1);
  return select(fma(inner, x, x), sign(x) * (1.0 - exp(outer)), t > 0.927734375);
}

fn gelu(x: f32) -> f32 {
  return 0.5 * x * (1.0 + erf(x * 0.70710678118654752));
}

// d gelu / dx = Phi(x) + x phi(x)
fn gelu_derivative(x: f32) -> f32 {
  return 0.5 * (1.0 + erf(x * 0.70710678118654752)) + x * 0.39894228040143268 * exp(-0.5 * x * x);
}

fn gelu_quad(x: vec4<f32>) -> vec4<f32> {
  return vec4(gelu(x.x), gelu(x.y), gelu(x.z), gelu(x.w));
}

fn gelu_derivative_quad(x: vec4<f32>) -> vec4<f32> {
  return vec4(gelu_derivative(x.x), gelu_derivative(x.y), gelu_derivative(x.z), gelu_derivative(x.w));
}
