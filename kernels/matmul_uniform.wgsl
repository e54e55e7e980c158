// Matrix product for adapters that run on the CPU, where reading a uniform buffer costs a tenth of reading a storage
// buffer: windows of B, and where possible of A, are bound as uniforms. The 8 invocations of a workgroup lie along m,
// each keeps TM x TN outputs. Edges are clamped on loading and left out on storing.
// `number` is that of the window: of TM-rows of A if A_WINDOW, else of B. A window begins at row WINDOW * number of its
// matrix; the last one begins earlier, so that it ends with the matrix.
// TRANSPOSED (only for a k of rows): C is stored as [n][m].
// SUMS (only for a k of rows): the sums over k of A (1) or of B (2) are added to `sums`.
//#include "lib/matmul_operands.wgsl"

@group(0) @binding(7) var<uniform> number: u32;
// A k of rows: A's rows for B's window, cut into A_PARTS bindings of A_PART rows.
//#for P in 1..A_PARTS
@group(0) @binding(${8 + P}) var<uniform> a${P}: array<vec4<f32>, ${A_UNIFORM}>;
//#end
//#if SUMS
@group(0) @binding(8) var<storage, read_write> sums: array<f32>;
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
  let b_begin = min(number * ${B_WINDOW}u, ${B_ROWS - B_WINDOW}u);
  let b_first = number * ${B_WINDOW}u;
//#else
  let b_begin = 0u;
  let b_first = 0u;
//#end
  let m0 = m_begin + workgroup.y * ${8 * TM}u + lane * ${TM}u;
//#if B_K
  let n0 = b_begin + workgroup.x * ${TN}u;
//#else
  let n0 = workgroup.x * ${TN}u;
//#end

//#for I in 0..TM
//#if A_K
  let a_at${I} = (min(m0 + ${I}u, m_end - 1u) - a_begin) * ${K / 4}u;
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
//#if B_K
//#for J in 0..TN
  let b_at${J} = min(workgroup.x * ${TN}u + ${J}u, ${B_UNIFORM * 4 / K - 1}u) * ${K / 4}u;
//#end
//#else
//#for Q in 0..TN / 4
  let b_at${Q} = min(n0 / 4u + ${Q}u, ${N / 4 - 1}u);
//#end
//#end
  for (var k = 0u; k < ${K / 4}u; k++) {
//#for I in 0..TM
    let a${I} = a[a_at${I} + k];
//#end
//#if B_K
//#for J in 0..TN
    {
      let b0 = b[b_at${J} + k];
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
      let b0 = b[k * ${N}u + ${KK * N / 4}u + b_at${Q}];
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
  // k counts rows of the batch; this window's are b_first … k_end.
  let k_end = min(b_first + ${B_WINDOW ? B_WINDOW : B_ROWS}u, size_k());
//#for Q in 0..TN / 4
  let b_at${Q} = min(n0 / 4u + ${Q}u, ${N / 4 - 1}u);
//#end
//#if SUMS == 1
//#for I in 0..TM / 4
  var sum${I} = vec4<f32>();
//#end
//#end
//#if SUMS == 2
//#for Q in 0..TN / 4
  var sum${Q} = vec4<f32>();
//#end
//#end
//#for P in 0..A_PARTS
  {
    let part_begin = b_begin + ${P * A_PART}u;
//#if P == A_PARTS - 1
    let part_end = k_end;
//#else
    let part_end = min(part_begin + ${A_PART}u, k_end);
//#end
    for (var k = max(b_first, part_begin); k < part_end; k++) {
//#for I in 0..TM / 4
//#if A_UNIFORM
//#if P == 0
      let row${I} = a[(k - part_begin) * ${M / 4}u + a_at${I * 4}];
//#else
      let row${I} = a${P}[(k - part_begin) * ${M / 4}u + a_at${I * 4}];
//#end
//#else
      let row${I} = a[k * ${M / 4}u + a_at${I * 4}];
//#end
//#if SUMS == 1
      sum${I} += row${I};
//#end
//#end
      let b_row = (k - b_begin) * ${N / 4}u;
//#for Q in 0..TN / 4
      {
        let b0 = b[b_row + b_at${Q}];
//#if SUMS == 2
        sum${Q} += b0;
//#end
//#for J in 0..4
//#for I in 0..TM
        s${I}_${4 * Q + J} = fma(row${(I - I % 4) / 4}[${I % 4}], b0[${J}], s${I}_${4 * Q + J});
//#end
//#end
      }
//#end
    }
  }
//#end
//#if SUMS == 1
  if (workgroup.x == 0u) {
//#for I in 0..TM
    if (m0 + ${I}u < ${M}u) {
      sums[m0 + ${I}u] += sum${(I - I % 4) / 4}[${I % 4}];
    }
//#end
  }
//#end
//#if SUMS == 2
  if (workgroup.y == 0u && lane == 0u) {
//#for J in 0..TN
    if (n0 + ${J}u < ${N}u) {
      sums[n0 + ${J}u] += sum${(J - J % 4) / 4}[${J % 4}];
    }
//#end
  }
//#end
//#end

//#if TRANSPOSED
  // Always added to what is there.
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
      0u,
      vec4(s${I}_${Q * 4}, s${I}_${Q * 4 + 1}, s${I}_${Q * 4 + 2}, s${I}_${Q * 4 + 3}),
    );
//#end
  }
//#end
//#end
}
