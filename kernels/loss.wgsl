// Classification loss and its gradient, per sequence; the losses are those of src/nn/loss.ts. With the score s = z_1 - z_0
// (two labels) or z (one), the margin m = ±s and p = sigmoid(m), q = 1 - p of the true class, w its weight, w' the other's:
//   cross_entropy  w (1 - ε/2) * -log(p) + w' ε/2 * -log(q),    slope by m:  -w (1 - ε/2) q + w' ε/2 p
//   focal          w q^γ * -log(p),                             slope by m:  -w q^γ (γ p * -log(p) + q)
//   ranking        cross_entropy; of a positive i and a negative j of one post max(0, margin - (s_i - s_j)) besides
// The gradient is that of the loss times the loss scale.
//#include "lib/update.wgsl"

struct Parameters {
  scale: f32, // of every sequence's loss: 1 / (sequences * micro-batches)
  gamma: f32,
  positive_weight: f32,
  negative_weight: f32,
  half_smoothing: f32, // ε/2
  pair_scale: f32, // of every ranked pair's loss: weight / (pairs * micro-batches)
  rank_margin: f32,
}

@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<uniform> parameters: Parameters;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> dLogits: array<f32>;
@group(0) @binding(5) var<storage, read_write> losses: array<f32>;
@group(0) @binding(6) var<storage, read_write> lossSum: array<f32>;
@group(0) @binding(7) var<storage, read> scaler: Scaler;
@group(0) @binding(8) var<storage, read> posts: array<u32>;

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
  let margin = select(-own, own, positive);
  let nll = softplus(-margin);
  let other_nll = softplus(margin);
  let p = exp(-nll);
  let q = exp(-other_nll);
  let weight = parameters.scale * select(parameters.negative_weight, parameters.positive_weight, positive);
//#if KIND == "focal"
  let focus = weight * exp(-parameters.gamma * other_nll);
  var loss = focus * nll;
  let d_margin = -focus * (parameters.gamma * p * nll + q);
//#else
  let other_weight = parameters.scale * select(parameters.positive_weight, parameters.negative_weight, positive);
  let share = parameters.half_smoothing;
  var loss = weight * ((1.0 - share) * nll) + other_weight * (share * other_nll);
  let d_margin = other_weight * (share * p) - weight * ((1.0 - share) * q);
//#end
  var d_score = select(-d_margin, d_margin, positive);
//#if HAS_posts
  // Each end of a pair finds it; the positive one counts its loss.
  var gaps = 0.0;
  var violations = 0.0;
  for (var other = 0u; other < rows; other++) {
    if (posts[other] == posts[sequence] && (labels[other] != 0u) != positive) {
      let rise = own - score(other);
      let gap = parameters.rank_margin - select(-rise, rise, positive);
      gaps += max(gap, 0.0);
      violations += select(0.0, 1.0, gap > 0.0);
    }
  }
  loss += select(0.0, parameters.pair_scale * gaps, positive);
  d_score += select(1.0, -1.0, positive) * parameters.pair_scale * violations;
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
