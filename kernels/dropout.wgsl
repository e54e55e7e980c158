// Elementwise on f32 [rows, COLUMNS]: dropout, y = x * factor, which is its own backward (lib/dropout.wgsl), and
// accumulate, y += x. One invocation per block of columns.
//#include "lib/block.wgsl"
//#include "lib/linear_id.wgsl"

@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<storage, read> x: array<Block>;
@group(0) @binding(2) var<storage, read_write> y: array<Block>;

//#if DROPOUT
//#include "lib/dropout_block.wgsl"

@compute @workgroup_size(64)
fn apply(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = linear_workgroup(group, grid) * 64u + local;
  if (at < rows * BLOCKS) {
    y[at] = x[at] * dropout_block(at);
  }
}
//#else
@compute @workgroup_size(64)
fn accumulate(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let at = linear_workgroup(group, grid) * 64u + local;
  if (at < rows * BLOCKS) {
    y[at] += x[at];
  }
}
//#end
