// Dropout decisions of attention probabilities as bits, so that forward and both backward orders read the same mask.
// Probability (token, head, key position j) is element ((token * heads + head) * stride + j) of dropout site SITE,
// where stride is the longest possible sequence rounded up to whole words of 32 bits.
override HEADS: u32;
override GROUP_HEADS: u32;
override LONGEST: u32;
override SITE: u32;

//#include "lib/dropout.wgsl"

@group(0) @binding(3) var<uniform> first_head: u32;
@group(0) @binding(0) var<uniform> dropout: Dropout;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read_write> mask: array<u32>; // [tokens, group heads, words]

// A lane makes the bits of one query for a word of 32 keys; the grid has heads and words in its second dimension.
@compute @workgroup_size(${LANES})
fn draw(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let words = (LONGEST + 31u) / 32u;
  let first = offsets[tile.z];
  let length = offsets[tile.z + 1u] - first;
  let row = tile.x * ${LANES}u + lane;
  let local = tile.y % GROUP_HEADS;
  let word = tile.y / GROUP_HEADS;
  if (dropout.threshold == 0u || word * 32u >= length || row >= length) {
    return;
  }
  let head = first_head + local;
  let quad = (((first + row) * HEADS + head) * words + word) * 8u;
  var bits = 0u;
  for (var i = 0u; i < 8u; i++) {
    let kept = select(vec4(0u), vec4(1u, 2u, 4u, 8u), dropout_quad(dropout, SITE, quad + i) != vec4(0.0));
    bits |= (kept.x | kept.y | kept.z | kept.w) << (4u * i);
  }
  mask[((first + row) * GROUP_HEADS + local) * words + word] = bits;
}
