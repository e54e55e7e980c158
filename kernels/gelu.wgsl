// The exact GELU, element by element: forward y = gelu(pre_activation), backward dx = dy * gelu'(pre_activation).
//#include "lib/gelu.wgsl"
//#include "lib/linear_id.wgsl"

override COLUMNS: u32;

@group(0) @binding(0) var<storage, read> pre_activation: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> rows: u32;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn forward(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = linear_workgroup(workgroup, grid) * 64u + lane;
  if (index < rows * COLUMNS) {
    y[index] = gelu(pre_activation[index]);
  }
}

@compute @workgroup_size(64)
fn backward(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = linear_workgroup(workgroup, grid) * 64u + lane;
  if (index < rows * COLUMNS) {
    dx[index] = dy[index] * gelu_derivative(pre_activation[index]);
  }
}
