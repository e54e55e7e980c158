// Dropout of the block at index `at` of a matrix; see lib/block.wgsl and lib/dropout.wgsl. The site is a uniform, so
// that all layers share a pipeline: compiling one takes a software adapter a good part of a second.
//#include "lib/dropout.wgsl"

@group(0) @binding(20) var<uniform> dropout: Dropout;
@group(0) @binding(21) var<uniform> site: u32;

fn dropout_block(at: u32) -> Block {
//#if COLUMNS % 4 == 0
  return dropout_quad(dropout, site, at);
//#else
  return dropout_factor(dropout, site, at);
//#end
}
