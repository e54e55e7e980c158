// What the cores of a matrix product have in common: C(matrix, m, n) = sum over k of A(matrix, m, k) B(matrix, k, n).
// M, N, K: sizes, M or K 0 where it is the number of rows at hand. A_K, B_K: whether the operand's rows run along k
// (A[m][k], B[n][k]) or along the other index (A[k][m], B[k][n]). BY_WORDS: whether operands are f16 and read eight at a
// time. BATCH: matrices. SHARES: of k, each with a result of its own; these lie one after another in C, every one of them a
// batch.
//#include "lib/product_result.wgsl"
//#if HAS_rows
@group(0) @binding(0) var<uniform> rows: u32;
//#end
//#tensor a ${BY_WORDS ? "words" : "read"} A_STRIDE
//#include "lib/product_operand.wgsl" OF="a" STRIDE=A_STRIDE STEP=A_STEP FIRST=HAS_a_first BINDING=1 WRITE=0 UNIT=(BY_WORDS?8:4)
//#tensor b ${BY_WORDS ? "words" : "read"} B_STRIDE
//#include "lib/product_operand.wgsl" OF="b" STRIDE=B_STRIDE STEP=B_STEP FIRST=HAS_b_first BINDING=2 WRITE=0 UNIT=(BY_WORDS?8:4)

fn size_m() -> u32 {
  return ${M ? M : "rows"};
}

// A workgroup's tile along m and n. M_FIRST: workgroups side by side, which run at the same time, share columns of B and not
// rows of A.
fn tile_of(workgroup: vec3<u32>) -> vec2<u32> {
  return workgroup.${M_FIRST ? "xy" : "yx"};
}

// First and end of a share of k. Shares are of rows only, so no operand has its rows along a k that is shared.
fn share_of_k(share: u32) -> vec2<u32> {
  let size = u32(${K ? K : "rows"});
  let length = (size + ${SHARES - 1}u) / ${SHARES}u;
  return min(vec2(share * length, (share + 1u) * length), vec2(size));
}
