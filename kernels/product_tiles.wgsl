// Matrix product with tiles of both operands in workgroup memory, for GPUs: TILE_M x TILE_N outputs a workgroup, EACH_M x
// EACH_N an invocation, in steps of TILE_K along k. The next tiles are loaded into registers before this step's products.
//#include "lib/product.wgsl"
//#include "lib/product_tile.wgsl" OF="a" ALONG_K=A_K TILE=TILE_M END="size_m()"
//#include "lib/product_tile.wgsl" OF="b" ALONG_K=B_K TILE=TILE_N END=N+"u"

@compute @workgroup_size(${THREADS})
fn product(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let m_end = size_m();
  let tile = tile_of(workgroup);
  let m0 = tile.x * ${TILE_M}u;
  let n0 = tile.y * ${TILE_N}u;
  let matrix = workgroup.z % ${BATCH}u;
  let share = share_of_k(workgroup.z / ${BATCH}u);
  // Outputs: every ACROSS_M-th row quad of the tile from y on, every ACROSS_N-th column quad from x on.
  let x = lane % ${TILE_N / EACH_N}u;
  let y = lane / ${TILE_N / EACH_N}u;

//#for I in 0..EACH_M
//#for Q in 0..EACH_N / 4
  var s${I}_${Q} = vec4<f32>();
//#end
//#end
  var k = share.x;
//#for L in 0..A_BLOCKS
  var a_next${L} = load_a_block(matrix, m0, k, share.y, lane + ${L * THREADS}u);
//#end
//#for L in 0..B_BLOCKS
  var b_next${L} = load_b_block(matrix, n0, k, share.y, lane + ${L * THREADS}u);
//#end
  while (k < share.y) {
    workgroupBarrier();
//#for L in 0..A_BLOCKS
    store_a_block(lane + ${L * THREADS}u, a_next${L});
//#end
//#for L in 0..B_BLOCKS
    store_b_block(lane + ${L * THREADS}u, b_next${L});
//#end
    workgroupBarrier();
    k += ${TILE_K}u;
//#for L in 0..A_BLOCKS
    a_next${L} = load_a_block(matrix, m0, k, share.y, lane + ${L * THREADS}u);
//#end
//#for L in 0..B_BLOCKS
    b_next${L} = load_b_block(matrix, n0, k, share.y, lane + ${L * THREADS}u);
//#end
//#for KK in 0..TILE_K
    {
//#for Q in 0..EACH_M / 4
      let a${Q} = a_tile[${KK}][(y + ${Q * TILE_M / EACH_M}u) ^ ${A_K ? (KK - KK % 4) / 2 : 0}u];
//#end
//#for Q in 0..EACH_N / 4
      let b${Q} = b_tile[${KK}][(x + ${Q * TILE_N / EACH_N}u) ^ ${B_K ? (KK - KK % 4) / 2 : 0}u];
//#end
//#for I in 0..EACH_M
//#for Q in 0..EACH_N / 4
      s${I}_${Q} = fma(vec4(a${(I - I % 4) / 4}[${I % 4}]), b${Q}, s${I}_${Q});
//#end
//#end
    }
//#end
  }

//#for I in 0..EACH_M
  {
    let m = m0 + y * 4u + ${I % 4 + (I - I % 4) * TILE_M / EACH_M}u;
    if (m < m_end) {
//#for Q in 0..EACH_N / 4
      finish(workgroup.z, m, n0 / 4u + x + ${Q * TILE_N / EACH_N}u, s${I}_${Q});
//#end
    }
  }
//#end
}
