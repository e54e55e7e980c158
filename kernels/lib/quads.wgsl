// Walking a matrix [rows, COLUMNS] quad by quad, one invocation each; past the last row there is nothing.
//#once
//#include "lib/linear_id.wgsl"

const QUADS = ${(COLUMNS + 3 - (COLUMNS + 3) % 4) / 4}u; // of a row, the last one perhaps not full

@group(0) @binding(0) var<uniform> rows: u32;

struct Quad {
  row: u32,
  quad: u32,
}

fn quad_at(index: u32) -> Quad {
  return Quad(index / QUADS, index % QUADS);
}

// The same by workgroups of 32 of which none has quads of two rows: `quad` can be past the end of the row.
fn quad_of(workgroup: u32, lane: u32) -> Quad {
  let tiles = (QUADS + 31u) / 32u;
  return Quad(workgroup / tiles, workgroup % tiles * 32u + lane);
}
