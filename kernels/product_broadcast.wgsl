// Matrix product whose workgroup is one subgroup: an invocation keeps EACH_M x EACH_N outputs in registers, as in
// product_registers.wgsl, but reads its share of what all of them need of B and gets the rest from its neighbours. For
// adapters that run on the CPU, where a read costs as much as a dozen multiply-adds, whether it is everybody's or not.
// Edges are clamped on loading and left out on storing; k goes by quads, with zeros past the end.
//#requires subgroups
//#include "lib/product.wgsl"

@compute @workgroup_size(${THREADS})
fn product(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  let m_end = size_m();
  let tile = tile_of(workgroup);
  let n0 = tile.y * ${TILE_N}u;
  let matrix = workgroup.z % ${BATCH}u;
  let share = share_of_k(workgroup.z / ${BATCH}u);

//#for I in 0..EACH_M
//#if A_K
  let m${I} = tile.x * ${TILE_M}u + lane * ${EACH_M}u + ${I}u;
//#else
  let m${I} = tile.x * ${TILE_M}u + (lane + ${(I - I % 4) / 4 * THREADS}u) * 4u + ${I % 4}u;
//#end
//#for J in 0..EACH_N
  var s${I}_${J} = 0.0;
//#end
//#end
//#for I in 0..(A_K ? EACH_M : EACH_M / 4)
//#if A_K
  let a_at${I} = a_begin(matrix, min(m${I}, m_end - 1u));
//#else
  let a_at${I} = min(m${4 * I} / 4u, ${(M + 3 - (M + 3) % 4) / 4 - 1}u);
//#end
//#end
//#if B_K
//#for J in 0..EACH_N / THREADS
  let b_at${J} = b_begin(matrix, min(n0 + ${J * THREADS}u + lane, ${N - 1}u));
//#end
//#else
  // A quarter of the lanes for each of four rows, so that one read asks for all the cache lines that an iteration needs.
  let b_row = lane / ${THREADS / 4}u;
//#for J in 0..EACH_N / THREADS
  let b_at${J} = min(n0 / 4u + lane % ${THREADS / 4}u * ${EACH_N / THREADS}u + ${J}u, ${N / 4 - 1}u);
//#end
//#end

  for (var k = share.x; k < share.y; k += 4u) {
//#for KK in 0..(A_K ? 1 : 4)
//#for I in 0..(A_K ? EACH_M : EACH_M / 4)
//#if A_K
    let a0_${I} = read_a(a_at${I}, k / 4u);
//#else
    let a${KK}_${I} = read_a(a_begin(matrix, min(k + ${KK}u, share.y - 1u)), a_at${I});
//#end
//#end
//#end
//#if B_K
//#for J in 0..EACH_N / THREADS
    {
      let of_lanes = read_b(b_at${J}, k / 4u);
//#for L in 0..THREADS
      {
        let b = subgroupBroadcast(of_lanes, ${L}u);
//#for KK in 0..4
//#include "lib/product_fma.wgsl" COLUMN=J*THREADS+L STEP=KK B=("b["+KK+"]")
//#end
      }
//#end
    }
//#end
//#else
//#for J in 0..EACH_N / THREADS
    let of_lanes${J} = select(vec4(), read_b(b_begin(matrix, k + b_row), b_at${J}), k + b_row < share.y);
//#end
//#for Q in 0..EACH_N / 4
//#for E in 0..4
    {
//#for KK in 0..4
      let b${KK} = subgroupBroadcast(
        of_lanes${Q % (EACH_N / THREADS)}[${E}],
        ${KK * THREADS / 4 + (Q - Q % (EACH_N / THREADS)) / (EACH_N / THREADS)}u,
      );
//#end
//#for KK in 0..4
//#include "lib/product_fma.wgsl" COLUMN=4*Q+E STEP=KK B=("b"+KK)
//#end
    }
//#end
//#end
//#end
  }

//#for I in 0..EACH_M
  if (m${I} < m_end) {
//#for J in 0..EACH_N / 4
    finish(
      workgroup.z,
      m${I},
      n0 / 4u + ${J}u,
      vec4(s${I}_${J * 4}, s${I}_${J * 4 + 1}, s${I}_${J * 4 + 2}, s${I}_${J * 4 + 3}),
    );
//#end
  }
//#end
}
