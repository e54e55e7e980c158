// The index of this workgroup in a grid that `linearGrid` folded into two dimensions; can be past the end by a few.
//#once
fn linear_workgroup(id: vec3<u32>, grid: vec3<u32>) -> u32 {
  return id.y * grid.x + id.x;
}
