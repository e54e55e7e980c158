// One row of the log of optimizer steps, which the host reads many rows at a time: loss, gradient norm, learning rate.
//#include "lib/adamw_parameters.wgsl"

@group(0) @binding(0) var<uniform> slot: u32;
@group(0) @binding(1) var<uniform> optimizer: Parameters;
@group(0) @binding(2) var<storage, read> lossSum: array<f32>;
@group(0) @binding(3) var<storage, read> norm: array<f32>;
@group(0) @binding(4) var<storage, read_write> log: array<vec4<f32>>;

@compute @workgroup_size(1)
fn record() {
  if (slot < arrayLength(&log)) {
    log[slot] = vec4(lossSum[0], norm[0], optimizer.learning_rate, 0.0);
  }
}
