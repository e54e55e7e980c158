// A row as blocks of four columns where the number of columns allows it, else of one.
override COLUMNS: u32;

const BLOCKS = ${COLUMNS % 4 == 0 ? COLUMNS / 4 : COLUMNS}u;

//#if COLUMNS % 4 == 0
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
