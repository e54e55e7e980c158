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

Deno.test("expandTemplate: a loop that counts down to nothing, negative bounds and names of outer loops in ranges", () => {
  assert.equal(expandTemplate("//#for I in 2..1\n${I}\n//#end", {}, noInclude), "");
  assert.equal(expandTemplate("//#for I in -2..0\nx${-I}\n//#end", {}, noInclude), "x2\nx1");
  const nested = "//#for I in 0..3\n//#for J in 0..I\n${I}${J}\n//#end\n//#end";
  assert.equal(expandTemplate(nested, {}, noInclude), "10\n20\n21");
});

Deno.test("expandTemplate: a branch that is not taken need not make sense, conditions nest", () => {
  const source = "//#if A\n//#if B\nboth\n//#else\nonly a\n//#end\n//#else\n${UNKNOWN}\n//#end";
  assert.equal(expandTemplate(source, { A: 1, B: 1 }, noInclude), "both");
  assert.equal(expandTemplate(source, { A: 1, B: 0 }, noInclude), "only a");
  assert.throws(() => expandTemplate(source, { A: 0, B: 1 }, noInclude), /line 8: unknown constant UNKNOWN/);
});

Deno.test("expandTemplate: expressions are arithmetic, and nothing else", () => {
  const value = (text: string) => expandTemplate("${" + text + "}", { N: 6, M: -2 }, noInclude);
  assert.equal(value("N % 4 == 0 ? N / 4 : N"), "6");
  assert.equal(value("N - M"), "8");
  assert.equal(value("2 ** (N - 3)"), "8");
  assert.equal(value("(N > 5 && !(M >= 0)) ? 1 : 0"), "1");
  assert.throws(() => value("Deno"), /unknown constant Deno/);
  assert.throws(() => value("N; 1"), /not an expression/);
  assert.throws(() => value("[N]"), /not an expression/);
  assert.throws(() => value("'N'"), /not an expression/);
});

Deno.test("expandTemplate: a loop's name holds within an included file, and not after the loop", () => {
  const read = () => "i${I}";
  assert.equal(expandTemplate('//#for I in 0..2\n//#include "a"\n//#end', {}, read), "i0\ni1");
  assert.throws(() => expandTemplate("//#for I in 0..2\n//#end\n${I}", {}, noInclude), /line 3: unknown constant I/);
  assert.throws(() => expandTemplate("//#for I\n//#end", {}, noInclude), /line 1: expected "#for NAME in FROM..TO"/);
});
