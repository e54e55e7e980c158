// Matrix products for adapters that run on the CPU, where reading a uniform buffer costs a tenth of reading a storage
// buffer: rows of B, and of A where it is small, are bound as uniforms. The THREADS invocations of a workgroup lie along
// m, each keeps EACH_M x EACH_N outputs. Edges are clamped on loading, left out on storing.
//
// SEGMENT 0: rows of A and B run along k, with zeros past its end up to a whole quad. A window of B is PARTS bindings of
// PART rows. With one part, tiles of EACH_N columns lie side by side in it; with several, which long rows ask for, the
// window is one tile. `number` is that of the window of B, or of A where A_WINDOW is set. Windows begin every B_WINDOW or
// A_WINDOW rows; the last one begins earlier, so that it ends with the matrix.
//
// SEGMENT: C[m][n] += sum over k of A[k][m] B[k][n], k being the SEGMENT rows of the batch from number * SEGMENT on. The
// operands have room for ROWS rows; the last segment's bindings begin earlier, so that they end with the matrix.
//
// If `sums` is bound, the sums of A over k are added to it.
//#include "lib/product.wgsl"
//#for P in 1..PARTS
//#tensor b${P} uniform B_STRIDE in B_UNIFORM
//#end

@group(0) @binding(4) var<uniform> number: u32;
//#if HAS_sums
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;
//#end

@compute @workgroup_size(${THREADS})
fn product(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
//#if A_WINDOW
  let a_first = min(number * ${A_WINDOW}u, ${A_ROWS - A_WINDOW}u);
  let m_first = number * ${A_WINDOW}u;
  let m_end = min(m_first + ${A_WINDOW}u, size_m());
//#else
  let a_first = 0u;
  let m_first = 0u;
  let m_end = size_m();
//#end
//#if B_WINDOW
  let n_first = number * ${B_WINDOW}u;
  let n0 = min(n_first, ${N - B_WINDOW}u) + workgroup.x * ${EACH_N}u;
//#else
  let n_first = 0u;
  let n0 = workgroup.x * ${EACH_N}u;
//#end
  let m0 = m_first + (workgroup.y * ${THREADS}u + lane) * ${EACH_M}u;

//#for I in 0..EACH_M
//#for J in 0..EACH_N
  var s${I}_${J} = 0.0;
//#end
//#end
//#for I in 0..(SEGMENT ? EACH_M / 4 : EACH_M)
  var sum${I} = vec4<f32>();
//#end

//#if SEGMENT
  let k_first = number * ${SEGMENT}u;
  let k_bound = min(k_first, ${ROWS - SEGMENT}u);
  for (var k = k_first; k < min(k_first + ${SEGMENT}u, rows); k++) {
    let a_row = a_begin(0u, k${A_UNIFORM ? " - k_bound" : ""});
    let b_row = b_begin(0u, k - k_bound);
//#for I in 0..EACH_M / 4
    let a${I} = read_a(a_row, min(m0 / 4u + ${I}u, ${M / 4 - 1}u));
    sum${I} += a${I};
//#end
//#for Q in 0..EACH_N / 4
    {
      let b0 = read_b(b_row, min(n0 / 4u + ${Q}u, ${N / 4 - 1}u));
//#for J in 0..4
//#for I in 0..EACH_M
      s${I}_${4 * Q + J} = fma(a${(I - I % 4) / 4}[${I % 4}], b0[${J}], s${I}_${4 * Q + J});
//#end
//#end
    }
//#end
  }
//#else
//#for I in 0..EACH_M
  let a_at${I} = a_begin(0u, min(m0 + ${I}u, m_end - 1u) - a_first);
//#end
//#for J in 0..(PARTS == 1 ? EACH_N : 0)
  let b_at${J} = b_begin(0u, min(workgroup.x * ${EACH_N}u + ${J}u, ${PART - 1}u));
//#end
  for (var k = 0u; k < (${K ? K : "rows"} + 3u) / 4u; k++) {
//#for I in 0..EACH_M
    let a${I} = read_a(a_at${I}, k);
    sum${I} += a${I};
//#end
//#for J in 0..EACH_N
    {
//#if PARTS == 1
      let b0 = read_b(b_at${J}, k);
//#else
      let b0 = load_b${J < PART ? "" : (J - J % PART) / PART}(${J % PART}u, k);
//#end
//#for KK in 0..4
//#for I in 0..EACH_M
      s${I}_${J} = fma(a${I}[${KK}], b0[${KK}], s${I}_${J});
//#end
//#end
    }
//#end
  }
//#end

//#if HAS_sums
  if (n_first + n0 == 0u) {
//#for I in 0..EACH_M
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
//#for I in 0..EACH_M
  if (m0 + ${I}u < m_end) {
//#for Q in 0..EACH_N / 4
    // The window before has done what comes before n_first.
    if (n0 + ${4 * Q}u >= n_first) {
      finish(
        0u,
        m0 + ${I}u,
        n0 / 4u + ${Q}u,
        vec4(s${I}_${Q * 4}, s${I}_${Q * 4 + 1}, s${I}_${Q * 4 + 2}, s${I}_${Q * 4 + 3}),
      );
    }
//#end
  }
//#end
}
