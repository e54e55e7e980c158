// Constants of an AdamW step; they come ready from the host, where 1 - β and 1 - lr * decay keep their digits.
struct Parameters {
  keep: f32, // 1 - learning rate * weight decay
  beta2: f32,
  rest1: f32, // 1 - β1
  rest2: f32, // 1 - β2
  step_size: f32, // learning rate / (1 - β1^t)
  root_correction2: f32, // sqrt(1 - β2^t)
  eps: f32,
  learning_rate: f32, // for the log
}
