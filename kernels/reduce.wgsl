// The second level of a sum over rows: into[column] += sum over groups of partials[group, column], in order.
//#include "lib/quads.wgsl"

//#tensor partials read COLUMNS
//#tensor into update COLUMNS

@compute @workgroup_size(8)
fn add_partials(@builtin(global_invocation_id) id: vec3<u32>) {
  let quad = id.x;
  if (quad >= QUADS) {
    return;
  }
  var sum = vec4<f32>();
  for (var group = 0u; group * ${GROUP}u < rows; group++) {
    sum += load_partials(group, quad);
  }
  store_into(0u, quad, load_into(0u, quad) + sum);
}
