// Matrix product with tiles of both operands in workgroup memory, for GPUs: a workgroup of 64 computes 64 x 64 outputs,
// 8 x 8 an invocation, in steps of 16 along k. The next tiles are loaded into registers before this step's products.
// Tiles lie k-major. An operand whose rows run along k is transposed on its way: an invocation loads 4 x 4 elements and
// stores them by columns, with the place XORed by the step so that the lanes of a store meet different banks.
//#include "lib/matmul_operands.wgsl"

var<workgroup> a_tile: array<array<vec4<f32>, 16>, 16>;
var<workgroup> b_tile: array<array<vec4<f32>, 16>, 16>;

// Loads give zero past the end of k, and repeat the last row or column past the other end, where nothing is stored.
//#if A_K
// A[m][4 quad ..]
fn load_a(m: u32, quad: u32) -> vec4<f32> {
  let row = min(m, size_m() - 1u);
  var values = vec4<f32>();
//#if VA
  if (quad < ${K / 4}u) {
    values = a[row * ${K / 4}u + quad];
  }
//#else
//#for I in 0..4
  if (quad * 4u + ${I}u < ${K}u) {
    values[${I}] = a[row * ${K}u + quad * 4u + ${I}u];
  }
//#end
//#end
  return values;
}
//#else
// A[k][4 quad ..]
fn load_a(k: u32, k_end: u32, quad: u32) -> vec4<f32> {
  var values = vec4<f32>();
  if (k < k_end) {
//#if VA
    values = a[k * ${M / 4}u + min(quad, ${M / 4 - 1}u)];
//#else
//#for I in 0..4
    values[${I}] = a[k * ${M}u + min(quad * 4u + ${I}u, ${M - 1}u)];
//#end
//#end
  }
  return values;
}
//#end
//#if B_K
// B[n][4 quad ..]
fn load_b(n: u32, quad: u32) -> vec4<f32> {
  let row = min(n, ${N - 1}u);
  var values = vec4<f32>();
//#if VB
  if (quad < ${K / 4}u) {
    values = b[row * ${K / 4}u + quad];
  }
//#else
//#for I in 0..4
  if (quad * 4u + ${I}u < ${K}u) {
    values[${I}] = b[row * ${K}u + quad * 4u + ${I}u];
  }
//#end
//#end
  return values;
}
//#else
// B[k][4 quad ..]
fn load_b(k: u32, k_end: u32, quad: u32) -> vec4<f32> {
  var values = vec4<f32>();
  if (k < k_end) {
//#if VB
    values = b[k * ${N / 4}u + min(quad, ${N / 4 - 1}u)];
//#else
//#for I in 0..4
    values[${I}] = b[k * ${N}u + min(quad * 4u + ${I}u, ${N - 1}u)];
//#end
//#end
  }
  return values;
}
//#end

@compute @workgroup_size(64)
fn product(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let m_end = size_m();
  let m0 = workgroup.y * 64u;
  let n0 = workgroup.x * 64u;
  let slice = workgroup.z;
//#if SLICES > 1
  let k_share = (size_k() + ${SLICES - 1}u) / ${SLICES}u;
  let k_begin = min(slice * k_share, size_k());
  let k_end = min(k_begin + k_share, size_k());
//#else
  let k_begin = 0u;
  let k_end = size_k();
//#end
  // Outputs: row quads ty and ty + 8, column quads tx and tx + 8 of the tile.
  let tx = lane % 8u;
  let ty = lane / 8u;
  // Transposing loads: row quad `across`, step quad `along`. Plain loads: steps `down` + 4 i, column quad `over`.
  let along = lane % 4u;
  let across = lane / 4u;
  let over = lane % 16u;
  let down = lane / 16u;

//#for I in 0..8
  var s${I}_0 = vec4<f32>();
  var s${I}_1 = vec4<f32>();
//#end
//#for I in 0..4
  var a_next${I} = vec4<f32>();
  var b_next${I} = vec4<f32>();
//#end

  // k_begin is a multiple of 4 wherever an operand's rows run along k: such products are never split.
  var k = k_begin;
//#include "lib/matmul_load_tiles.wgsl"
  while (k < k_end) {
    workgroupBarrier();
//#for I in 0..4
//#if A_K
    a_tile[along * 4u + ${I}u][across ^ (along * 2u)] = vec4(a_next0[${I}], a_next1[${I}], a_next2[${I}], a_next3[${I}]);
//#else
    a_tile[down + ${I * 4}u][over] = a_next${I};
//#end
//#if B_K
    b_tile[along * 4u + ${I}u][across ^ (along * 2u)] = vec4(b_next0[${I}], b_next1[${I}], b_next2[${I}], b_next3[${I}]);
//#else
    b_tile[down + ${I * 4}u][over] = b_next${I};
//#end
//#end
    workgroupBarrier();
    k += 16u;
//#include "lib/matmul_load_tiles.wgsl"
//#for KK in 0..16
    {
      let a0 = a_tile[${KK}][ty ^ ${A_K ? (KK - KK % 4) / 2 : 0}u];
      let a1 = a_tile[${KK}][(ty + 8u) ^ ${A_K ? (KK - KK % 4) / 2 : 0}u];
      let b0 = b_tile[${KK}][tx ^ ${B_K ? (KK - KK % 4) / 2 : 0}u];
      let b1 = b_tile[${KK}][(tx + 8u) ^ ${B_K ? (KK - KK % 4) / 2 : 0}u];
//#for I in 0..4
      s${I}_0 = fma(vec4(a0[${I}]), b0, s${I}_0);
      s${I}_1 = fma(vec4(a0[${I}]), b1, s${I}_1);
      s${I + 4}_0 = fma(vec4(a1[${I}]), b0, s${I + 4}_0);
      s${I + 4}_1 = fma(vec4(a1[${I}]), b1, s${I + 4}_1);
//#end
    }
//#end
  }

//#for I in 0..8
  {
    let m = m0 + ty * 4u + ${I < 4 ? I : I + 28}u;
    if (m < m_end) {
      finish_quad(m, n0 / 4u + tx, slice, s${I}_0);
      finish_quad(m, n0 / 4u + tx + 8u, slice, s${I}_1);
    }
  }
//#end
}
