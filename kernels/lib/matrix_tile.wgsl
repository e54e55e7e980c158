// A tile of operand OF, f16, as it lies in the tensor: TILE elements along m or n, TILE_K along k, its rows (along k if
// ALONG_K) LENGTH / 8 words of 16 bytes and one unused, so that the rows of a matrix begin in different banks. END is the
// operand's size along m or n. Past the end of k there are zeros; past the other end the last row or word repeats, where
// nothing is stored.
fn load_${OF}_word(matrix: u32, first: u32, k: u32, k_end: u32, place: u32) -> vec4<u32> {
//#if TILE * TILE_K / 8 % THREADS
  if (place >= ${TILE * TILE_K / 8}u) {
    return vec4<u32>();
  }
//#end
//#if ALONG_K
  let word = k / 8u + place % ${TILE_K / 8}u;
  let row = min(first + place / ${TILE_K / 8}u, ${END} - 1u);
  if (word * 8u >= k_end) {
    return vec4<u32>();
  }
//#else
  let word = min(first / 8u + place % ${TILE / 8}u, (${END} + 7u) / 8u - 1u);
  let row = k + place / ${TILE / 8}u;
  if (row >= k_end) {
    return vec4<u32>();
  }
//#end
  return read_${OF}(${OF}_begin(matrix, row), word);
}

fn store_${OF}_word(place: u32, word: vec4<u32>) {
//#if TILE * TILE_K / 8 % THREADS
  if (place >= ${TILE * TILE_K / 8}u) {
    return;
  }
//#end
  words[${AT}u + place / ${LENGTH / 8}u * ${LENGTH / 8 + 1}u + place % ${LENGTH / 8}u] = word;
}

// Where the matrix begins whose first element is this one of the tile, both multiples of 8.
fn ${OF}_place(across: u32, k: u32) -> u32 {
  return ${AT}u + ${ALONG_K ? "across" : "k"} * ${LENGTH / 8 + 1}u + ${ALONG_K ? "k" : "across"} / 8u;
}
