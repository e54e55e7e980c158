// Matrix products for adapters that run on the CPU, where reading a uniform buffer costs a tenth of reading a storage
// buffer: rows of B, and of A where it is small, are bound as uniforms. The 8 invocations of a workgroup lie along m, each
// keeps TM x TN outputs. Edges are clamped on loading, left out on storing.
//
// SEGMENT 0: C[m][n] = sum over k of A[m][k] B[n][k], rows of A and B being A_STRIDE and B_STRIDE floats apart. Where k is
// the batch's rows, there are zeros past its end up to a whole quad. A window of B is PARTS bindings of PART rows. With one
// part, tiles of TN columns lie side by side in it; with several, which long rows ask for, the window is one tile. `number`
// is that of the window of B, or of A where A_WINDOW is set. Windows begin every B_WINDOW or A_WINDOW rows; the last one
// begins earlier, so that it ends with the matrix.
//
// SEGMENT: C[m][n] += sum over k of A[k][m] B[k][n], k being the SEGMENT rows of the batch from number * SEGMENT on. The
// operands have room for ROWS rows; the last segment's bindings begin earlier, so that they end with the matrix.
//
// SUMS: the sums of A over k are added to `sums`.
//#include "lib/matmul_operands.wgsl"

@group(0) @binding(7) var<uniform> number: u32;
//#if SUMS
@group(0) @binding(8) var<storage, read_write> sums: array<f32>;
//#end
//#for P in 1..PARTS
@group(0) @binding(${12 + P}) var<uniform> b${P}: array<vec4<f32>, ${B_UNIFORM}>;
//#end

@compute @workgroup_size(8)
fn product(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
//#if A_WINDOW
  let a_begin = min(number * ${A_WINDOW}u, ${A_ROWS - A_WINDOW}u);
  let m_begin = number * ${A_WINDOW}u;
  let m_end = min(m_begin + ${A_WINDOW}u, size_m());
//#else
  let a_begin = 0u;
  let m_begin = 0u;
  let m_end = size_m();
//#end
//#if B_WINDOW
  let n_first = number * ${B_WINDOW}u;
  let n0 = min(n_first, ${N - B_WINDOW}u) + workgroup.x * ${TN}u;
//#else
  let n_first = 0u;
  let n0 = workgroup.x * ${TN}u;
//#end
  let m0 = m_begin + workgroup.y * ${8 * TM}u + lane * ${TM}u;

//#for I in 0..TM
//#for J in 0..TN
  var s${I}_${J} = 0.0;
//#end
//#end

//#if SEGMENT
  let k_begin = number * ${SEGMENT}u;
  let k_bound = min(k_begin, ${ROWS - SEGMENT}u);
//#for I in 0..TM / 4
  let a_at${I} = min(m0 / 4u + ${I}u, ${M / 4 - 1}u);
  var sum${I} = vec4(0.0);
//#end
//#for Q in 0..TN / 4
  let b_at${Q} = min(n0 / 4u + ${Q}u, ${N / 4 - 1}u);
//#end
  for (var k = k_begin; k < min(k_begin + ${SEGMENT}u, rows); k++) {
//#for I in 0..TM / 4
//#if A_UNIFORM
    let a${I} = a[(k - k_bound) * ${M / 4}u + a_at${I}];
//#else
    let a${I} = a[k * ${M / 4}u + a_at${I}];
//#end
//#if SUMS
    sum${I} += a${I};
//#end
//#end
//#for Q in 0..TN / 4
    {
      let b0 = b[(k - k_bound) * ${N / 4}u + b_at${Q}];
//#for J in 0..4
//#for I in 0..TM
      s${I}_${4 * Q + J} = fma(a${(I - I % 4) / 4}[${I % 4}], b0[${J}], s${I}_${4 * Q + J});
//#end
//#end
    }
//#end
  }
//#else
//#for I in 0..TM
  let a_at${I} = (min(m0 + ${I}u, m_end - 1u) - a_begin) * ${A_STRIDE / 4}u;
  var sum${I} = vec4(0.0);
//#end
//#if PARTS == 1
//#for J in 0..TN
  let b_at${J} = min(workgroup.x * ${TN}u + ${J}u, ${PART - 1}u) * ${B_STRIDE / 4}u;
//#end
//#end
//#if K
  const k_end = ${(K + 3 - (K + 3) % 4) / 4}u;
//#else
  let k_end = (rows + 3u) / 4u;
//#end
  for (var k = 0u; k < k_end; k++) {
//#for I in 0..TM
    let a${I} = a[a_at${I} + k];
//#if SUMS
    sum${I} += a${I};
//#end
//#end
//#for J in 0..TN
    {
//#if PARTS == 1
      let b0 = b[b_at${J} + k];
//#else
//#if J < PART
      let b0 = b[${J * B_STRIDE / 4}u + k];
//#else
      let b0 = b${(J - J % PART) / PART}[${J % PART * B_STRIDE / 4}u + k];
//#end
//#end
//#for KK in 0..4
//#for I in 0..TM
      s${I}_${J} = fma(a${I}[${KK}], b0[${KK}], s${I}_${J});
//#end
//#end
    }
//#end
  }
//#end

//#if SUMS
  if (n_first + n0 == 0u) {
//#for I in 0..TM
    if (m0 + ${I}u < m_end) {
//#if SEGMENT
      sums[m0 + ${I}u] += sum${(I - I % 4) / 4}[${I % 4}];
//#else
      sums[m0 + ${I}u] += (sum${I}.x + sum${I}.y) + (sum${I}.z + sum${I}.w);
//#end
    }
//#end
  }
//#end
//#for I in 0..TM
  if (m0 + ${I}u < m_end) {
//#for Q in 0..TN / 4
    // The window before has done what comes before n_first.
    if (n0 + ${4 * Q}u >= n_first) {
      finish_quad(
        m0 + ${I}u,
        n0 / 4u + ${Q}u,
        0u,
        vec4(s${I}_${Q * 4}, s${I}_${Q * 4 + 1}, s${I}_${Q * 4 + 2}, s${I}_${Q * 4 + 3}),
      );
    }
//#end
  }
//#end
}
