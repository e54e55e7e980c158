// Matrix product on tensor cores: TILE_M x TILE_N outputs a workgroup, EACH_M x EACH_N a subgroup of SUBGROUP invocations, in
// steps of TILE_K along k. Operands are f16, read by words of eight; sums are f32. The next tiles are loaded into registers
// before this step's products, because a second pair of tiles in the workgroup's memory costs more than it gains. Finished
// results cross that memory, where the tiles were, to be taken on by quads.
//#include "lib/matrix.wgsl"
//#include "lib/product.wgsl"
//#include "lib/matrix_tile.wgsl" OF="a" ALONG_K=A_K TILE=TILE_M LENGTH=(A_K?TILE_K:TILE_M) AT=0 END="size_m()"
//#include "lib/matrix_tile.wgsl" OF="b" ALONG_K=B_K TILE=TILE_N LENGTH=(B_K?TILE_K:TILE_N) AT=A_WORDS END=N+"u"
//#include "lib/matrix_operand.wgsl" OF="a" SIDE="Left" ALONG_K=A_K STRIDE=(A_K?TILE_K:TILE_M)/8+1
//#include "lib/matrix_operand.wgsl" OF="b" SIDE="Right" ALONG_K=B_K STRIDE=(B_K?TILE_K:TILE_N)/8+1
var<workgroup> words: array<vec4<u32>, ${WORDS}>;

@compute @workgroup_size(${THREADS}) ${SIZED}
fn product(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  begin_matrices(lane);
  let m_end = size_m();
  let m0 = workgroup.y * ${TILE_M}u;
  let n0 = workgroup.x * ${TILE_N}u;
  let matrix = workgroup.z % ${BATCH}u;
  let share = share_of_k(workgroup.z / ${BATCH}u);
  // This subgroup's part of the tile.
  let subgroup = lane / ${SUBGROUP}u;
  let m_part = subgroup / ${TILE_N / EACH_N}u * ${EACH_M}u;
  let n_part = subgroup % ${TILE_N / EACH_N}u * ${EACH_N}u;

//#for I in 0..EACH_M / MATRIX_M
//#for J in 0..EACH_N / MATRIX_N
  var s${I}_${J} = Result();
//#end
//#end
  var k = share.x;
//#for L in 0..A_BLOCKS
  var a_next${L} = load_a_word(matrix, m0, k, share.y, lane + ${L * THREADS}u);
//#end
//#for L in 0..B_BLOCKS
  var b_next${L} = load_b_word(matrix, n0, k, share.y, lane + ${L * THREADS}u);
//#end
  while (k < share.y) {
    workgroupBarrier();
//#for L in 0..A_BLOCKS
    store_a_word(lane + ${L * THREADS}u, a_next${L});
//#end
//#for L in 0..B_BLOCKS
    store_b_word(lane + ${L * THREADS}u, b_next${L});
//#end
    workgroupBarrier();
    k += ${TILE_K}u;
//#for L in 0..A_BLOCKS
    a_next${L} = load_a_word(matrix, m0, k, share.y, lane + ${L * THREADS}u);
//#end
//#for L in 0..B_BLOCKS
    b_next${L} = load_b_word(matrix, n0, k, share.y, lane + ${L * THREADS}u);
//#end
//#for KK in 0..TILE_K / MATRIX_K
    {
//#for I in 0..EACH_M / MATRIX_M
      let a${I} = load_a_matrix(a_place(m_part + ${I * MATRIX_M}u, ${KK * MATRIX_K}u));
//#end
//#for J in 0..EACH_N / MATRIX_N
      let b${J} = load_b_matrix(b_place(n_part + ${J * MATRIX_N}u, ${KK * MATRIX_K}u));
//#end
//#for I in 0..EACH_M / MATRIX_M
//#for J in 0..EACH_N / MATRIX_N
      s${I}_${J} = multiply_b(a${I}, b${J}, s${I}_${J});
//#end
//#end
    }
//#end
  }

  // A strip of MATRIX_M rows of each subgroup at a time.
  let strip = subgroup * ${MATRIX_M * (EACH_N / 4 + 1)}u;
//#for I in 0..EACH_M / MATRIX_M
  workgroupBarrier();
//#for J in 0..EACH_N / MATRIX_N
  store_result(strip + ${J * MATRIX_N / 4}u, ${EACH_N / 4 + 1}u, s${I}_${J});
//#end
  workgroupBarrier();
  for (var place = lane % ${SUBGROUP}u; place < ${MATRIX_M * EACH_N / 4}u; place += ${SUBGROUP}u) {
    let row = place / ${EACH_N / 4}u;
    let quad = place % ${EACH_N / 4}u;
    let m = m0 + m_part + ${I * MATRIX_M}u + row;
    if (m < m_end) {
      finish(workgroup.z, m, (n0 + n_part) / 4u + quad, bitcast<vec4<f32>>(words[strip + row * ${EACH_N / 4 + 1}u + quad]));
    }
  }
//#end
}
