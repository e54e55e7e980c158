// Copies between the layout of the model, [rows, heads, head size], and one block of rows per head, [heads, PADDED,
// head size], whose heads can be bound one by one as uniforms.
override HEADS: u32;
override BLOCKS: u32; // head size / 4
override PADDED: u32;

@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;

// One invocation per row and head.
@compute @workgroup_size(64)
fn split(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= rows) {
    return;
  }
  for (var block = 0u; block < BLOCKS; block++) {
    result[(id.y * PADDED + id.x) * BLOCKS + block] = source[(id.x * HEADS + id.y) * BLOCKS + block];
  }
}

@compute @workgroup_size(64)
fn merge(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= rows) {
    return;
  }
  for (var block = 0u; block < BLOCKS; block++) {
    result[(id.x * HEADS + id.y) * BLOCKS + block] = source[(id.y * PADDED + id.x) * BLOCKS + block];
  }
}
