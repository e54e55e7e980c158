import assert from "node:assert/strict";
import { matrixShapeConstants, matrixShapeOf, SUBGROUP_MATRIX, SUBGROUP_SIZE } from "../../src/gpu/matrix.ts";

const CONFIGS = [
  { componentType: "f16", resultComponentType: "f16", M: 16, N: 16, K: 32 },
  { componentType: "f16", resultComponentType: "f32", M: 8, N: 8, K: 8 },
  { componentType: "f16", resultComponentType: "f32", M: 8, N: 8, K: 16 },
  { componentType: "i8", resultComponentType: "i32", M: 32, N: 32, K: 32 },
];

function shapeOn([subgroupMinSize, subgroupMaxSize]: [number, number], features: GPUFeatureName[], configs = CONFIGS) {
  const info = { subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs: configs };
  return matrixShapeOf({ features: new Set(features) }, info as unknown as GPUAdapterInfo, "hardware");
}

Deno.test("matrixShapeOf: the largest of f16 summed in f32, for subgroups whose size is known or can be asked for", () => {
  const largest = { m: 8, n: 8, k: 16, emulated: false, most: Infinity };
  assert.deepEqual(shapeOn([32, 32], [SUBGROUP_MATRIX]), { ...largest, subgroup: 32, asked: false });
  assert.deepEqual(shapeOn([8, 32], [SUBGROUP_MATRIX, SUBGROUP_SIZE]), { ...largest, subgroup: 8, asked: true });
  assert.equal(shapeOn([32, 64], [SUBGROUP_MATRIX]), undefined, "of one size or the other");
  assert.equal(shapeOn([32, 32], [SUBGROUP_SIZE]), undefined, "none");
  assert.equal(shapeOn([32, 32], [SUBGROUP_MATRIX], CONFIGS.slice(0, 1)), undefined, "sums in f16");
});

Deno.test("matrixShapeConstants: kernels ask for a size where they have to", () => {
  assert.equal(matrixShapeConstants(shapeOn([32, 32], [SUBGROUP_MATRIX])!).SIZED, "");
  assert.equal(matrixShapeConstants(shapeOn([8, 32], [SUBGROUP_MATRIX, SUBGROUP_SIZE])!).SIZED, "@subgroup_size(8)");
});
