// Copies heads, [rows, heads], between two layouts: a head is SOURCE_SIZE elements long in one and RESULT_SIZE in the other
// (what only the result has is 0), and row r of head h is the (r * ROW + h * HEAD)-th head there.
override SOURCE_ROW: u32;
override SOURCE_HEAD: u32;
override RESULT_ROW: u32;
override RESULT_HEAD: u32;

@group(0) @binding(0) var<uniform> rows: u32;
//#tensor source read SOURCE_SIZE
//#tensor result write RESULT_SIZE

// One invocation per row and head.
@compute @workgroup_size(64)
fn copy(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= rows) {
    return;
  }
  for (var quad = 0u; quad * 4u < ${RESULT_SIZE}u; quad++) {
    let values = load_source(id.x * SOURCE_ROW + id.y * SOURCE_HEAD, quad);
    store_result(id.x * RESULT_ROW + id.y * RESULT_HEAD, quad, values);
  }
}
