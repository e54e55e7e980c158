// What the kernels of an optimizer step tell each other. The host cannot learn that a step was skipped without waiting for
// it, so loss scale, bias correction and the skipping itself are decided on the device.
//#once

// Constants of the step at hand; they come ready from the host, where 1 - β and 1 - lr * decay keep their digits.
struct Optimizer {
  keep: f32, // 1 - learning rate * weight decay
  beta2: f32,
  rest1: f32, // 1 - β1
  rest2: f32, // 1 - β2
  eps: f32,
  learning_rate: f32,
}

// Kept from step to step, as torch.amp.GradScaler keeps it.
struct Scaler {
  scale: f32, // what the loss that gradients are taken of is multiplied by: a power of two
  inverse: f32,
  good_steps: u32, // in a row, since the scale last changed
  applied: u32, // updates: steps that were not skipped
}

// What becomes of the step at hand; written by grad_norm.wgsl.
struct Update {
  norm: f32, // of all gradients together, unscaled
  factor: f32, // unscales and clips
  correction1: f32, // 1 / (1 - β1^t), t = updates applied
  correction2: f32, // sqrt(1 - β2^t)
  scale: f32, // that of the gradients at hand
  skipped: u32,
}
