// Matrix product for adapters that run on the CPU, where reading a uniform buffer costs a tenth of reading a storage
// buffer: B, or a window of it, is bound as a uniform. The 8 invocations of a workgroup lie along m, each owns TM rows
// of TN outputs, so what it reads of A from storage serves TN products. Edges are clamped on loading and left out on
// storing.
// TRANSPOSED (only for a k of rows): C is stored as [n][m].
// The window holds rows WINDOW * number … of B (along n if B_K, else along k), or the last WINDOW rows of B.
//#include "lib/matmul_operands.wgsl"

@group(0) @binding(7) var<uniform> number: u32; // of the window

@compute @workgroup_size(8)
fn product(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let m_end = size_m();
  let m0 = workgroup.y * ${8 * TM}u + lane * ${TM}u;
  let window_begin = min(number * ${WINDOW}u, ${B_ROWS - WINDOW}u);
//#if B_K
  let n0 = window_begin + workgroup.x * ${TN}u;
  let k_begin = 0u;
  let k_end = ${K}u;
  let b0 = workgroup.x * ${TN * K / 4}u;
//#else
  let n0 = workgroup.x * ${TN}u;
  let k_begin = number * ${WINDOW}u;
  let k_end = min(k_begin + ${WINDOW}u, size_k());
  let b0 = (k_begin - window_begin) * ${N / 4}u + n0 / 4u;
//#end

//#for I in 0..TM
//#if A_K
  let a_at${I} = min(m0 + ${I}u, m_end - 1u) * ${K / 4}u;
//#else
//#if I % 4 == 0
  let a_at${I} = min(m0 / 4u + ${I / 4}u, ${M / 4 - 1}u);
//#end
//#end
//#for J in 0..TN
  var s${I}_${J} = 0.0;
//#end
//#end

//#if A_K
  // Four steps of k at a time.
  for (var k = 0u; k < ${K / 4}u; k++) {
//#for I in 0..TM
    let a${I} = a[a_at${I} + k];
//#end
//#if B_K
//#for J in 0..TN
    {
      let b0 = b[min(b0 + ${J * K / 4}u + k, ${B_UNIFORM - 1}u)];
//#for KK in 0..4
//#for I in 0..TM
      s${I}_${J} = fma(a${I}[${KK}], b0[${KK}], s${I}_${J});
//#end
//#end
    }
//#end
//#else
//#for KK in 0..4
//#for Q in 0..TN / 4
    {
      let b0 = b[min(b0 + k * ${N}u + ${KK * N / 4 + Q}u, ${B_UNIFORM - 1}u)];
//#for J in 0..4
//#for I in 0..TM
      s${I}_${4 * Q + J} = fma(a${I}[${KK}], b0[${J}], s${I}_${4 * Q + J});
//#end
//#end
    }
//#end
//#end
//#end
  }
//#else
  for (var k = k_begin; k < k_end; k++) {
//#for I in 0..TM / 4
    let a${I} = a[k * ${M / 4}u + a_at${I * 4}];
//#end
    let at = b0 + (k - k_begin) * ${N / 4}u;
//#for Q in 0..TN / 4
    {
      let b0 = b[min(at + ${Q}u, ${B_UNIFORM - 1}u)];
//#for J in 0..4
//#for I in 0..TM
      s${I}_${4 * Q + J} = fma(a${(I - I % 4) / 4}[${I % 4}], b0[${J}], s${I}_${4 * Q + J});
//#end
//#end
    }
//#end
  }
//#end

//#if TRANSPOSED
  // C is stored as [n][m], and always added to.
//#for J in 0..TN
  if (n0 + ${J}u < ${N}u) {
//#for Q in 0..TM / 4
    if (m0 / 4u + ${Q}u < ${M / 4}u) {
      c[(n0 + ${J}u) * ${M / 4}u + m0 / 4u + ${Q}u] +=
        vec4(s${4 * Q}_${J}, s${4 * Q + 1}_${J}, s${4 * Q + 2}_${J}, s${4 * Q + 3}_${J});
    }
//#end
  }
//#end
//#else
//#for I in 0..TM
  if (m0 + ${I}u < m_end) {
//#for Q in 0..TN / 4
    finish_quad(
      m0 + ${I}u,
      n0 / 4u + ${Q}u,
      number,
      vec4(s${I}_${Q * 4}, s${I}_${Q * 4 + 1}, s${I}_${Q * 4 + 2}, s${I}_${Q * 4 + 3}),
    );
//#end
  }
//#end
//#end
}
