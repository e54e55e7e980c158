// Heads in blocks of VEC elements: 4 where the head size is a multiple of 4, else 1.
//#if VEC == 4
alias Block = vec4<f32>;
fn total(block: Block) -> f32 {
  return (block.x + block.y) + (block.z + block.w);
}
//#else
alias Block = f32;
fn total(block: Block) -> f32 {
  return block;
}
//#end
