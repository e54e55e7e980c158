// Who walks a row of quads (lib/quads.wgsl): the LANES invocations of one workgroup, or, where LANES is 1, one invocation,
// with the rows of THREADS invocations side by side in a workgroup and neither workgroup memory nor barriers. A lane
// takes every LANES-th quad. It keeps them in HELD registers each; where a row is too long for that, HELD is 0, and what
// it needs twice it reads, or computes, twice: then no result depends on where a number waited, and how it was stored.
// SUBGROUPS: sums go by subgroups, of any size.
//#if SUBGROUPS
//#requires subgroups
//#end
//#include "lib/quads.wgsl"

fn row_of(group: vec3<u32>, grid: vec3<u32>, local: u32) -> u32 {
//#if LANES > 1
  return linear_workgroup(group, grid);
//#else
  return linear_workgroup(group, grid) * ${THREADS}u + local;
//#end
}

fn lane_of(local: u32) -> u32 {
  return local % ${LANES}u;
}

// Which elements of a quad lie in the row.
fn in_row(quad: u32) -> vec4<bool> {
  return vec4(quad * 4u) + vec4(0u, 1u, 2u, 3u) < vec4(${COLUMNS}u);
}

//#if LANES > 1
var<workgroup> lane_sums: array<vec2<f32>, ${LANES}>;
//#end

// The sums over a row of two values, given those of each lane's quads; the same bits in every lane.
fn row_sums(a: vec4<f32>, b: vec4<f32>, lane: u32) -> vec2<f32> {
  let own = vec2((a.x + a.y) + (a.z + a.w), (b.x + b.y) + (b.z + b.w));
//#if SUBGROUPS
  // The first of each subgroup leaves its sum. Then every subgroup adds up all of them, so many at a time as it has lanes.
  let size = subgroupAdd(1u);
  let rank = subgroupExclusiveAdd(1u);
  let sum = subgroupAdd(own);
  workgroupBarrier();
  lane_sums[lane] = select(vec2<f32>(), sum, rank == 0u);
  workgroupBarrier();
  var sums = vec2<f32>();
  for (var at = rank; at < ${LANES}u; at += size) {
    sums += lane_sums[at];
  }
  return subgroupAdd(sums);
//#else
//#if LANES > 1
  workgroupBarrier();
  lane_sums[lane] = own;
  workgroupBarrier();
//#for STEP in 1..LANE_BITS + 1
  if (lane < ${LANES / 2 ** STEP}u) {
    lane_sums[lane] += lane_sums[lane + ${LANES / 2 ** STEP}u];
  }
  workgroupBarrier();
//#end
  return lane_sums[0];
//#else
  return own;
//#end
//#end
}
