// The second level of a sum over rows: into[column] += sum over groups of partials[group, column], in order.
//#include "lib/block.wgsl"

const GROUP = ${GROUP}u;

@group(0) @binding(0) var<uniform> rows: u32;
@group(0) @binding(1) var<storage, read> partials: array<Block>;
@group(0) @binding(2) var<storage, read_write> into: array<Block>;

@compute @workgroup_size(8)
fn add_partials(@builtin(global_invocation_id) id: vec3<u32>) {
  let block = id.x;
  if (block >= BLOCKS) {
    return;
  }
  let groups = (rows + GROUP - 1u) / GROUP;
  var sum = Block();
  for (var group = 0u; group < groups; group++) {
    sum += partials[group * BLOCKS + block];
  }
  into[block] += sum;
}
