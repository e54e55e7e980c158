// Part of matmul_tiled.wgsl's body: this invocation's share of the tiles that begin at k.
//#for I in 0..4
//#if A_K
  a_next${I} = load_a(m0 + across * 4u + ${I}u, k / 4u + along);
//#else
  a_next${I} = load_a(k + down + ${I * 4}u, k_end, m0 / 4u + over);
//#end
//#if B_K
  b_next${I} = load_b(n0 + across * 4u + ${I}u, k / 4u + along);
//#else
  b_next${I} = load_b(k + down + ${I * 4}u, k_end, n0 / 4u + over);
//#end
//#end
