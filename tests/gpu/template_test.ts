import assert from "node:assert/strict";
import { expandTemplate } from "../../src/gpu/template.ts";

const noInclude = (): string => {
  throw new Error("no includes here");
};

Deno.test("expandTemplate: unrolls nested loops and evaluates expressions", () => {
  const source = "a\n//#for I in 0..ROWS\n//#for J in I..2\nx${I * 10 + J};\n//#end\n//#end\nb";
  assert.equal(expandTemplate(source, { ROWS: 2 }, noInclude), "a\nx0;\nx1;\nx11;\nb");
});

Deno.test("expandTemplate: takes one branch of a condition and nothing of an empty loop", () => {
  const source = "//#if N % 4 == 0\nvector\n//#else\nscalar\n//#end\n//#for I in 0..EMPTY\n${I}\n//#end";
  assert.equal(expandTemplate(source, { N: 8, EMPTY: 0 }, noInclude), "vector");
  assert.equal(expandTemplate(source, { N: 6, EMPTY: 0 }, noInclude), "scalar");
});

Deno.test("expandTemplate: includes files with the same constants", () => {
  const files: Record<string, string> = { "lib/a.wgsl": "${N}" };
  assert.equal(expandTemplate('//#include "lib/a.wgsl"', { N: 3 }, (path) => files[path]), "3");
});

Deno.test("expandTemplate: names the line of a mistake", () => {
  assert.throws(() => expandTemplate("a\n${M}", {}, noInclude), /line 2: unknown constant M/);
  assert.throws(() => expandTemplate("//#if 1\na", {}, noInclude), /missing #end/);
  assert.throws(() => expandTemplate("a\n//#end", {}, noInclude), /line 2: #else or #end without a beginning/);
});
