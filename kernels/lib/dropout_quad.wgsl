// Dropout of a quad of a matrix; see lib/quads.wgsl and lib/dropout.wgsl. Masks are drawn by quads: the elements past the
// end of a row that is not whole quads have their words too. The site is a uniform, so that all layers share a pipeline:
// compiling one takes a software adapter a good part of a second.
//#once
//#include "lib/dropout.wgsl"

@group(0) @binding(20) var<uniform> dropout: Dropout;
@group(0) @binding(21) var<uniform> site: u32;

fn dropout_at(row: u32, quad: u32) -> vec4<f32> {
  return dropout_quad(dropout, site, row * QUADS + quad);
}
