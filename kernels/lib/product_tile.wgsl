// A tile of operand OF in workgroup memory: TILE elements along m or n, its rows TILE_K steps of k. It is brought in by
// blocks of 4 x 4 elements, each with a `place` in the tile; END is the operand's size along m or n.
// Where rows run along k, a block is transposed on its way, with its place XORed by the step so that the lanes of a store
// meet different banks. Past the end of k there are zeros; past the other end the last row or quad repeats, where nothing
// is stored.
var<workgroup> ${OF}_tile: array<array<vec4<f32>, ${TILE / 4}>, ${TILE_K}>;

fn load_${OF}_block(matrix: u32, first: u32, k: u32, k_end: u32, place: u32) -> mat4x4<f32> {
  var block = mat4x4<f32>();
//#if TILE * TILE_K / 16 % THREADS
  if (place >= ${TILE * TILE_K / 16}u) {
    return block;
  }
//#end
//#if ALONG_K
  let quad = k / 4u + place % ${TILE_K / 4}u;
  if (quad * 4u < k_end) {
//#for I in 0..4
    let row${I} = min(first + place / ${TILE_K / 4}u * 4u + ${I}u, ${END} - 1u);
    block[${I}] = read_${OF}(${OF}_begin(matrix, row${I}), quad);
//#end
  }
//#else
  let quad = min(first / 4u + place % ${TILE / 4}u, (${END} + 3u) / 4u - 1u);
//#for I in 0..4
  let row${I} = k + place / ${TILE / 4}u + ${I * TILE_K / 4}u;
  if (row${I} < k_end) {
    block[${I}] = read_${OF}(${OF}_begin(matrix, row${I}), quad);
  }
//#end
//#end
  return block;
}

fn store_${OF}_block(place: u32, block: mat4x4<f32>) {
//#if TILE * TILE_K / 16 % THREADS
  if (place >= ${TILE * TILE_K / 16}u) {
    return;
  }
//#end
//#if ALONG_K
  let along = place % ${TILE_K / 4}u;
  let across = (place / ${TILE_K / 4}u) ^ (along * 2u);
  let turned = transpose(block);
//#for I in 0..4
  ${OF}_tile[along * 4u + ${I}u][across] = turned[${I}];
//#end
//#else
//#for I in 0..4
  ${OF}_tile[place / ${TILE / 4}u + ${I * TILE_K / 4}u][place % ${TILE / 4}u] = block[${I}];
//#end
//#end
}
