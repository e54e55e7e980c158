// Matrix product without workgroup memory: an invocation keeps EACH_M x EACH_N outputs in registers. For adapters that run
// on the CPU, where workgroup memory and barriers cost more than they save. A workgroup's invocations lie along m first.
// Edges are clamped on loading and left out on storing; k goes by quads where rows run along it, with zeros past the end.
//#include "lib/product.wgsl"

@compute @workgroup_size(${THREADS})
fn product(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let m_end = size_m();
  let tile = tile_of(workgroup);
  let m0 = tile.x * ${TILE_M}u + lane % ${TILE_M / EACH_M}u * ${EACH_M}u;
  let n0 = tile.y * ${TILE_N}u + lane / ${TILE_M / EACH_M}u * ${EACH_N}u;
  let matrix = workgroup.z % ${BATCH}u;
  let share = share_of_k(workgroup.z / ${BATCH}u);

//#for I in 0..EACH_M
//#for J in 0..EACH_N
  var s${I}_${J} = 0.0;
//#end
//#end
//#for I in 0..(A_K ? EACH_M : EACH_M / 4)
//#if A_K
  let a_at${I} = a_begin(matrix, min(m0 + ${I}u, m_end - 1u));
//#else
  let a_at${I} = min(m0 / 4u + ${I}u, ${(M + 3 - (M + 3) % 4) / 4 - 1}u);
//#end
//#end
//#for J in 0..(B_K ? EACH_N : EACH_N / 4)
//#if B_K
  let b_at${J} = b_begin(matrix, min(n0 + ${J}u, ${N - 1}u));
//#else
  let b_at${J} = min(n0 / 4u + ${J}u, ${(N + 3 - (N + 3) % 4) / 4 - 1}u);
//#end
//#end

  for (var k = share.x; k < share.y; k += ${STEPS}u) {
//#for KK in 0..(A_K ? 1 : STEPS)
//#for I in 0..(A_K ? EACH_M : EACH_M / 4)
//#if A_K
    let a0_${I} = read_a(a_at${I}, k / 4u);
//#else
    let a${KK}_${I} = read_a(a_begin(matrix, k + ${KK}u), a_at${I});
//#end
//#end
//#end
//#for KK in 0..(B_K ? 1 : STEPS)
//#for J in 0..(B_K ? EACH_N : EACH_N / 4)
//#if KK && K % 4
    if (k + ${KK}u < share.y) {
//#else
    {
//#end
//#if B_K
      let b = read_b(b_at${J}, k / 4u);
//#else
      let b = read_b(b_begin(matrix, k + ${KK}u), b_at${J});
//#end
//#for E in 0..4
//#include "lib/product_fma.wgsl" COLUMN=B_K?J:4*J+E STEP=B_K?E:KK B=("b["+E+"]")
//#end
    }
//#end
//#end
  }

//#for I in 0..EACH_M
  if (m0 + ${I}u < m_end) {
//#for J in 0..EACH_N / 4
    finish(
      workgroup.z,
      m0 + ${I}u,
      n0 / 4u + ${J}u,
      vec4(s${I}_${J * 4}, s${I}_${J * 4 + 1}, s${I}_${J * 4 + 2}, s${I}_${J * 4 + 3}),
    );
//#end
  }
//#end
}
