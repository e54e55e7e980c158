// Subgroups put to the test (src/gpu/probe.ts).
//#requires subgroups

// Size, place among its invocations by count and by number, sum, what is passed on across 1, 2 and 4 places (the last where
// there are so many), and by the fourth.
@group(0) @binding(0) var<storage, read_write> results: array<array<u32, 8>>;

@compute @workgroup_size(64)
fn subgroups(
  @builtin(global_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let value = f32(local * local + 1u);
  let size = subgroupAdd(1u);
  let rank = subgroupExclusiveAdd(1u);
  let sum = subgroupAdd(value);
  let by_1 = subgroupShuffleXor(value, 1u);
  let by_2 = subgroupShuffleXor(value, 2u);
  let by_4 = select(0.0, subgroupShuffleXor(value, 4u), size > 4u);
  let fourth = subgroupBroadcast(value, 3u);
  results[id.x] = array<u32, 8>(size, rank, lane, u32(sum), u32(by_1), u32(by_2), u32(by_4), u32(fourth));
}
