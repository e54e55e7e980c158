// Matrix product without workgroup memory: an invocation keeps TM x TN outputs in registers. For adapters that run on
// the CPU, where workgroup memory and barriers cost more than they save.
// Tile of a workgroup: LM * TM rows of C by LN * TN columns. Edges are clamped on loading and left out on storing.
//#include "lib/matmul_operands.wgsl"

@compute @workgroup_size(${LM * LN})
fn product(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let m_end = size_m();
  let m0 = workgroup.y * ${LM * TM}u + (lane % ${LM}u) * ${TM}u;
  let n0 = workgroup.x * ${LN * TN}u + (lane / ${LM}u) * ${TN}u;
  let slice = workgroup.z;
//#if SLICES > 1
  let k_share = (size_k() + ${SLICES - 1}u) / ${SLICES}u;
  let k_begin = min(slice * k_share, size_k());
  let k_end = min(k_begin + k_share, size_k());
//#else
  let k_begin = 0u;
  let k_end = size_k();
//#end

//#for I in 0..TM
//#for J in 0..TN
  var s${I}_${J} = 0.0;
//#end
//#end

  // Where each row of an operand begins, in elements of its array.
//#for I in 0..TM
//#if A_K
  let a_at${I} = min(m0 + ${I}u, m_end - 1u) * ${VA ? K / 4 : K}u;
//#else
//#if VA
  let a_at${I} = min(m0 / 4u + ${(I - I % 4) / 4}u, ${M / 4 - 1}u);
//#else
  let a_at${I} = min(m0 + ${I}u, ${M - 1}u);
//#end
//#end
//#end
//#for J in 0..TN
//#if B_K
  let b_at${J} = min(n0 + ${J}u, ${N - 1}u) * ${VB ? K / 4 : K}u;
//#else
//#if VB
  let b_at${J} = min(n0 / 4u + ${(J - J % 4) / 4}u, ${N / 4 - 1}u);
//#else
  let b_at${J} = min(n0 + ${J}u, ${N - 1}u);
//#end
//#end
//#end

  var k = k_begin;
  // KU steps of k at a time, then (STEP 1) TU at a time.
//#for STEP in 0..2
//#if STEP == 0 || K == 0 || K % KU
  while (k + ${STEP ? TU : KU}u <= k_end) {
//#for KK in 0..(STEP ? TU : KU)
//#for I in 0..TM
//#if A_K
//#if VA
//#if KK % 4 == 0
    let av${KK}_${I} = a[a_at${I} + k / 4u + ${KK / 4}u];
//#end
    let a${KK}_${I} = av${KK - KK % 4}_${I}[${KK % 4}];
//#else
    let a${KK}_${I} = a[a_at${I} + k + ${KK}u];
//#end
//#else
//#if VA
//#if I % 4 == 0
    let av${KK}_${I} = a[(k + ${KK}u) * ${M / 4}u + a_at${I}];
//#end
    let a${KK}_${I} = av${KK}_${I - I % 4}[${I % 4}];
//#else
    let a${KK}_${I} = a[(k + ${KK}u) * ${M}u + a_at${I}];
//#end
//#end
//#end
//#for J in 0..TN
//#if B_K
//#if VB
//#if KK % 4 == 0
    let bv${KK}_${J} = b[b_at${J} + k / 4u + ${KK / 4}u];
//#end
    let b${KK}_${J} = bv${KK - KK % 4}_${J}[${KK % 4}];
//#else
    let b${KK}_${J} = b[b_at${J} + k + ${KK}u];
//#end
//#else
//#if VB
//#if J % 4 == 0
    let bv${KK}_${J} = b[(k + ${KK}u) * ${N / 4}u + b_at${J}];
//#end
    let b${KK}_${J} = bv${KK}_${J - J % 4}[${J % 4}];
//#else
    let b${KK}_${J} = b[(k + ${KK}u) * ${N}u + b_at${J}];
//#end
//#end
//#end
//#for I in 0..TM
//#for J in 0..TN
    s${I}_${J} = fma(a${KK}_${I}, b${KK}_${J}, s${I}_${J});
//#end
//#end
//#end
    k += ${STEP ? TU : KU}u;
  }
//#end
//#end

//#for I in 0..TM
  if (m0 + ${I}u < m_end) {
//#for Q in 0..TN / 4
    finish_quad(
      m0 + ${I}u,
      n0 / 4u + ${Q}u,
      slice,
      vec4(s${I}_${Q * 4}, s${I}_${Q * 4 + 1}, s${I}_${Q * 4 + 2}, s${I}_${Q * 4 + 3}),
    );
//#end
  }
//#end
}
