// Dropout decided by Philox: element `index` of dropout site `site` in micro-step `step` is kept when its word is at or
// above `threshold` = rate * 2^32; kept values are scaled by `scale`: 1 / (1 - rate), for an adapter times its own scale.
//#once
struct Dropout {
  key: vec2<u32>, // the run's seed
  step: u32, // counts micro-batches, so that no two of a run share a mask
  threshold: u32,
  scale: f32,
}

//#include "lib/philox.wgsl"

// Factors (0 or scale) for the four elements from 4 * quad on.
fn dropout_quad(d: Dropout, site: u32, quad: u32) -> vec4<f32> {
  if (d.threshold == 0u) {
    return vec4(d.scale);
  }
  let words = philox(vec4(quad, site, d.step, 0u), d.key);
  return select(vec4(0.0), vec4(d.scale), words >= vec4(d.threshold));
}

fn dropout_factor(d: Dropout, site: u32, index: u32) -> f32 {
  return dropout_quad(d, site, index >> 2u)[index & 3u];
}
