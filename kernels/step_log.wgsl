// One row of the log of optimizer steps, which the host reads many rows at a time.
//#include "lib/update.wgsl"

struct Row {
  loss: f32,
  norm: f32,
  learning_rate: f32,
  scale: f32,
  skipped: f32, // 0 or 1
}

@group(0) @binding(0) var<uniform> slot: u32;
@group(0) @binding(1) var<uniform> optimizer: Optimizer;
@group(0) @binding(2) var<storage, read> lossSum: array<f32>;
@group(0) @binding(3) var<storage, read> update: Update;
@group(0) @binding(4) var<storage, read_write> log: array<Row>;

@compute @workgroup_size(1)
fn record() {
  if (slot < arrayLength(&log)) {
    log[slot] = Row(lossSum[0], update.norm, optimizer.learning_rate, update.scale, f32(update.skipped));
  }
}
