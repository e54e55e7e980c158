// Who walks a row: the LANES invocations of one workgroup, or, where LANES is 1, one invocation, with the rows of 8
// invocations side by side in a workgroup and neither workgroup memory nor barriers.
//#include "lib/linear_id.wgsl"

const LANES = ${LANES}u;

//#if LANES > 1
var<workgroup> lane_sums: array<vec2<f32>, ${LANES}>;

fn row_of(group: vec3<u32>, grid: vec3<u32>, local: u32) -> u32 {
  return linear_workgroup(group, grid);
}

fn lane_of(local: u32) -> u32 {
  return local;
}

// The sums of two values over the lanes of a row, the same bits in every lane.
fn row_sums(values: vec2<f32>, lane: u32) -> vec2<f32> {
  workgroupBarrier();
  lane_sums[lane] = values;
  workgroupBarrier();
//#for STEP in 1..LANE_BITS + 1
  if (lane < ${LANES / 2 ** STEP}u) {
    lane_sums[lane] += lane_sums[lane + ${LANES / 2 ** STEP}u];
  }
  workgroupBarrier();
//#end
  return lane_sums[0];
}
//#else
fn row_of(group: vec3<u32>, grid: vec3<u32>, local: u32) -> u32 {
  return linear_workgroup(group, grid) * 8u + local;
}

fn lane_of(local: u32) -> u32 {
  return 0u;
}

fn row_sums(values: vec2<f32>, lane: u32) -> vec2<f32> {
  return values;
}
//#end
