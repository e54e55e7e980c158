// One row of the log of optimizer steps, which the host reads many rows at a time: loss, gradient norm, learning rate.
struct Entry {
  slot: u32,
  learning_rate: f32,
}

@group(0) @binding(0) var<uniform> entry: Entry;
@group(0) @binding(1) var<storage, read> lossSum: array<f32>;
@group(0) @binding(2) var<storage, read> norm: array<f32>;
@group(0) @binding(3) var<storage, read_write> log: array<vec4<f32>>;

@compute @workgroup_size(1)
fn record() {
  if (entry.slot < arrayLength(&log)) {
    log[entry.slot] = vec4(lossSum[0], norm[0], entry.learning_rate, 0.0);
  }
}
