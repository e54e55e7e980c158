// Dropout of the block at index `at` of a matrix; see lib/block.wgsl and lib/dropout.wgsl.
//#include "lib/dropout.wgsl"

override SITE: u32;

fn dropout_block(d: Dropout, at: u32) -> Block {
//#if COLUMNS % 4 == 0
  return dropout_quad(d, SITE, at);
//#else
  return dropout_factor(d, SITE, at);
//#end
}
