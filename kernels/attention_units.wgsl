// The unit of dScores that are kept as f16: the power of two that brings the most that any of them can be, 2 scale keep
// |dContext_i| |v_j| (lib/attention.wgsl; the weights of a row sum to at most `keep`), to 2^14. What is 2^28 times smaller
// still has all digits of f16, and none is ever too large.
override SCALE: f32;
override HEADS: u32;

//#if HAS_dropout
//#include "lib/dropout.wgsl"
@group(0) @binding(0) var<uniform> dropout: Dropout;
//#end
@group(0) @binding(1) var<uniform> rows: u32;
@group(0) @binding(2) var<storage, read_write> measured: array<atomic<u32>>; // bits of the largest |dContext_i|^2 and |v_j|^2
@group(0) @binding(3) var<storage, read_write> units: array<vec4<f32>>;
//#tensor values read HEAD_SIZE
//#tensor d_context read HEAD_SIZE

var<workgroup> largest: array<vec2<f32>, 64>;

// One invocation per token and head. Neither the order of workgroups nor of bits matters to a maximum of positive numbers.
@compute @workgroup_size(64)
fn measure(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var squares = vec2(0.0);
  if (id.x < rows) {
    for (var quad = 0u; quad < ${HEAD_SIZE / 4}u; quad++) {
      let gradient = load_d_context(id.x * HEADS + id.y, quad);
      let value = load_values(id.x * HEADS + id.y, quad);
      squares += vec2(dot(gradient, gradient), dot(value, value));
    }
  }
  largest[lane] = squares;
  workgroupBarrier();
  for (var step = 32u; step > 0u; step /= 2u) {
    if (lane < step) {
      largest[lane] = max(largest[lane], largest[lane + step]);
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    atomicMax(&measured[0], bitcast<u32>(largest[0].x));
    atomicMax(&measured[1], bitcast<u32>(largest[0].y));
  }
}

// units: the factor of what is kept, and its inverse.
@compute @workgroup_size(1)
fn choose() {
  var most = 2.0 * SCALE * sqrt(bitcast<f32>(atomicLoad(&measured[0]))) * sqrt(bitcast<f32>(atomicLoad(&measured[1])));
  //#if HAS_dropout
  most *= select(dropout.scale, 1.0, dropout.threshold == 0u);
  //#end
  // It is below 2^(exponent - 126).
  let exponent = i32(bitcast<u32>(most) >> 23u);
  let unit = u32(clamp(267 - exponent, 1, 253));
  units[0] = vec4(bitcast<f32>(unit << 23u), bitcast<f32>((254u - unit) << 23u), 0.0, 0.0);
}
