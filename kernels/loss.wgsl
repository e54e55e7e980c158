// Classification loss and its gradient, per sequence. With the margin m = z_y - z_other (two labels) or ±z (one label,
// p = sigmoid(z)), the probability of the true class is p = sigmoid(m), q = 1 - p, and with w a weight per class
//   loss = scale * w * q^γ * -log(p),   d loss / d m = -scale * w * q^γ * (γ * p * -log(p) + q);
// γ = 0 makes it (weighted) cross-entropy, otherwise it is the focal loss of Lin et al., 2017, equation 5.
// The gradient is that of the loss times the loss scale.
//#include "lib/update.wgsl"

struct Parameters {
  scale: f32, // of every sequence's loss: 1 / (sequences * micro-batches)
  gamma: f32,
  alpha_positive: f32,
  alpha_negative: f32,
  positive_weight: f32,
}

@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<uniform> parameters: Parameters;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> dLogits: array<f32>;
@group(0) @binding(5) var<storage, read_write> losses: array<f32>;
@group(0) @binding(6) var<storage, read_write> lossSum: array<f32>;
@group(0) @binding(7) var<storage, read> scaler: Scaler;

// log(1 + e) for e in [0, 1] as 2 artanh(e / (2 + e)): `log(1.0 + e)` loses the digits of a small e.
fn log1p_unit(e: f32) -> f32 {
  let s = e / (2.0 + e);
  let t = s * s;
  var series = 1.0 / 17.0;
//#for I in 0..8
  series = series * t + 1.0 / ${15 - 2 * I}.0;
//#end
  return 2.0 * s * series;
}

// log(1 + exp(v)).
fn softplus(v: f32) -> f32 {
  return max(v, 0.0) + log1p_unit(exp(-abs(v)));
}

@compute @workgroup_size(32)
fn per_sequence(@builtin(global_invocation_id) id: vec3<u32>) {
  let sequence = id.x;
  if (sequence >= rows) {
    return;
  }
  let positive = labels[sequence] != 0u;
//#if LABELS == 1
  let rise = logits[sequence];
//#else
  let rise = logits[2u * sequence + 1u] - logits[2u * sequence];
//#end
  let margin = select(-rise, rise, positive);
  let nll = softplus(-margin);
  let log_q = -softplus(margin);
  let p = exp(-nll);
  let q = exp(log_q);
//#if KIND == 0
  let weight = 1.0;
  let slope = q;
//#end
//#if KIND == 1
  let weight = select(1.0, parameters.positive_weight, positive);
  let slope = q;
//#end
//#if KIND == 2
  let alpha = select(parameters.alpha_negative, parameters.alpha_positive, positive);
  let weight = alpha * exp(parameters.gamma * log_q);
  let slope = parameters.gamma * p * nll + q;
//#end
  losses[sequence] = parameters.scale * weight * nll;
  let d_margin = -parameters.scale * weight * slope * scaler.scale;
  let d_rise = select(-d_margin, d_margin, positive);
//#if LABELS == 1
  dLogits[sequence] = d_rise;
//#else
  dLogits[2u * sequence] = -d_rise;
  dLogits[2u * sequence + 1u] = d_rise;
//#end
}

@compute @workgroup_size(1)
fn add_losses() {
  var sum = 0.0;
  for (var sequence = 0u; sequence < rows; sequence++) {
    sum += losses[sequence];
  }
  lossSum[0] += sum;
}
