// Classification loss and its gradient, per sequence; the losses are those of src/nn/loss.ts. With the score s = z_1 - z_0
// (two labels) or z (one), the margin m = ±s and p = sigmoid(m), q = 1 - p of the true class, w its weight, w' the other's:
//   cross_entropy  w (1 - ε/2) * -log(p) + w' ε/2 * -log(q),    slope by m:  -w (1 - ε/2) q + w' ε/2 p
//   focal          w q^γ * -log(p),                             slope by m:  -w q^γ (γ p * -log(p) + q)
//   ranking        cross_entropy; of a positive i and a negative j of one group max(0, margin - (s_i - s_j)) besides
//   distillation   cross_entropy, and that of sigmoid(s / T) with the teacher's probability t besides
//   mse            (s - t)^2 with the teacher's score t
//   margin_mse     of a positive i and a negative j of one group ((s_i - s_j) - (t_i - t_j))^2
// The gradient is that of the loss times the loss scale.
//#include "lib/update.wgsl"

struct Parameters {
  scale: f32, // of every sequence's loss: 1 / (sequences * micro-batches)
  gamma: f32,
  positive_weight: f32,
  negative_weight: f32,
  half_smoothing: f32, // ε/2
  pair_scale: f32, // of every compared pair's loss: weight / (pairs * micro-batches)
  rank_margin: f32,
  soft_scale: f32, // of what is learnt from the teacher's probabilities
  inverse_temperature: f32, // 1 / T
}

@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<uniform> parameters: Parameters;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> dLogits: array<f32>;
@group(0) @binding(5) var<storage, read_write> losses: array<f32>;
@group(0) @binding(6) var<storage, read_write> lossSum: array<f32>;
@group(0) @binding(7) var<storage, read> scaler: Scaler;
@group(0) @binding(8) var<storage, read> groups: array<u32>;
@group(0) @binding(9) var<storage, read> teacher: array<f32>;

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

fn score(sequence: u32) -> f32 {
//#if LABELS == 1
  return logits[sequence];
//#else
  return logits[2u * sequence + 1u] - logits[2u * sequence];
//#end
}

@compute @workgroup_size(32)
fn per_sequence(@builtin(global_invocation_id) id: vec3<u32>) {
  let sequence = id.x;
  if (sequence >= rows) {
    return;
  }
  let positive = labels[sequence] != 0u;
  let own = score(sequence);
  var loss = 0.0;
  var d_score = 0.0;
//#if KIND == "mse"
  let difference = own - teacher[sequence];
  loss = parameters.scale * (difference * difference);
  d_score = 2.0 * parameters.scale * difference;
//#end
//#if KIND != "mse" && KIND != "margin_mse"
  let margin = select(-own, own, positive);
  let nll = softplus(-margin);
  let other_nll = softplus(margin);
  let p = exp(-nll);
  let q = exp(-other_nll);
  let weight = parameters.scale * select(parameters.negative_weight, parameters.positive_weight, positive);
//#if KIND == "focal"
  let focus = weight * exp(-parameters.gamma * other_nll);
  loss = focus * nll;
  let d_margin = -focus * (parameters.gamma * p * nll + q);
//#else
  let other_weight = parameters.scale * select(parameters.positive_weight, parameters.negative_weight, positive);
  let share = parameters.half_smoothing;
  loss = weight * ((1.0 - share) * nll) + other_weight * (share * other_nll);
  let d_margin = other_weight * (share * p) - weight * ((1.0 - share) * q);
//#end
  d_score = select(-d_margin, d_margin, positive);
//#if KIND == "distillation"
  let soft = own * parameters.inverse_temperature;
  let taught = teacher[sequence];
  let soft_nll = softplus(-soft);
  let soft_other_nll = softplus(soft);
  loss += parameters.soft_scale * (taught * soft_nll + (1.0 - taught) * soft_other_nll);
  let d_soft = (1.0 - taught) * exp(-soft_nll) - taught * exp(-soft_other_nll);
  d_score += parameters.soft_scale * parameters.inverse_temperature * d_soft;
//#end
//#end
//#if HAS_groups
  // Each end of a pair finds it; the positive one counts its loss.
  var pair_losses = 0.0;
  var pair_slopes = 0.0;
  for (var other = 0u; other < rows; other++) {
    if (groups[other] == groups[sequence] && (labels[other] != 0u) != positive) {
      let rise = own - score(other);
//#if KIND == "margin_mse"
      let gap = rise - (teacher[sequence] - teacher[other]);
      pair_losses += gap * gap;
      pair_slopes += 2.0 * gap;
//#else
      let gap = parameters.rank_margin - select(-rise, rise, positive);
      pair_losses += max(gap, 0.0);
      pair_slopes += select(0.0, select(1.0, -1.0, positive), gap > 0.0);
//#end
    }
  }
  loss += select(0.0, parameters.pair_scale * pair_losses, positive);
  d_score += parameters.pair_scale * pair_slopes;
//#end
  losses[sequence] = loss;
  let d_scaled = d_score * scaler.scale;
//#if LABELS == 1
  dLogits[sequence] = d_scaled;
//#else
  dLogits[2u * sequence] = -d_scaled;
  dLogits[2u * sequence + 1u] = d_scaled;
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
