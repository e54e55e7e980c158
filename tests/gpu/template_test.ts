import assert from "node:assert/strict";
import { type Constants, expandTemplate } from "../../src/gpu/template.ts";

/** Expands `source`, which may include `files`. */
function expand(source: string, constants: Constants = {}, files: Record<string, string> = {}, types = {}): string {
  const read = (path: string) => path === "kernel.wgsl" ? source : files[path];
  return expandTemplate("kernel.wgsl", { constants, types, read }).code;
}

Deno.test("expandTemplate: unrolls nested loops and evaluates expressions", () => {
  const source = "a\n//#for I in 0..ROWS\n//#for J in I..2\nx${I * 10 + J};\n//#end\n//#end\nb";
  assert.equal(expand(source, { ROWS: 2 }), "a\nx0;\nx1;\nx11;\nb");
});

Deno.test("expandTemplate: takes one branch of a condition and nothing of an empty loop", () => {
  const source = "//#if N % 4 == 0\nvector\n//#else\nscalar\n//#end\n//#for I in 0..EMPTY\n${I}\n//#end";
  assert.equal(expand(source, { N: 8, EMPTY: 0 }), "vector");
  assert.equal(expand(source, { N: 6, EMPTY: 0 }), "scalar");
});

Deno.test("expandTemplate: includes files with the same constants", () => {
  const files: Record<string, string> = { "lib/a.wgsl": "${N}" };
  assert.equal(expand('//#include "lib/a.wgsl"', { N: 3 }, files), "3");
});

Deno.test("expandTemplate: names the line of a mistake", () => {
  assert.throws(() => expand("a\n${M}", {}), /kernel\.wgsl:2: unknown constant M/);
  assert.throws(() => expand("//#if 1\na", {}), /missing #end/);
  assert.throws(() => expand("a\n//#end", {}), /kernel\.wgsl:2: #else or #end without a beginning/);
});

Deno.test("expandTemplate: a loop that counts down to nothing, negative bounds and names of outer loops in ranges", () => {
  assert.equal(expand("//#for I in 2..1\n${I}\n//#end", {}), "");
  assert.equal(expand("//#for I in -2..0\nx${-I}\n//#end", {}), "x2\nx1");
  const nested = "//#for I in 0..3\n//#for J in 0..I\n${I}${J}\n//#end\n//#end";
  assert.equal(expand(nested, {}), "10\n20\n21");
});

Deno.test("expandTemplate: a branch that is not taken need not make sense, conditions nest", () => {
  const source = "//#if A\n//#if B\nboth\n//#else\nonly a\n//#end\n//#else\n${UNKNOWN}\n//#end";
  assert.equal(expand(source, { A: 1, B: 1 }), "both");
  assert.equal(expand(source, { A: 1, B: 0 }), "only a");
  assert.throws(() => expand(source, { A: 0, B: 1 }), /kernel\.wgsl:8: unknown constant UNKNOWN/);
});

Deno.test("expandTemplate: expressions are arithmetic, and nothing else", () => {
  const value = (text: string) => expand("${" + text + "}", { N: 6, M: -2 });
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
  assert.equal(expand('//#for I in 0..2\n//#include "a"\n//#end', {}, { a: "i${I}" }), "i0\ni1");
  assert.throws(() => expand("//#for I in 0..2\n//#end\n${I}", {}), /kernel\.wgsl:3: unknown constant I/);
  assert.throws(() => expand("//#for I\n//#end", {}), /kernel\.wgsl:1: expected "#for NAME in FROM..TO"/);
});

Deno.test("expandTemplate: constants may be strings", () => {
  const source = '//#if CORE == "tiles"\n${CORE}\n//#else\nother\n//#end';
  assert.equal(expand(source, { CORE: "tiles" }), "tiles");
  assert.equal(expand(source, { CORE: "registers" }), "other");
});

Deno.test("expandTemplate: an include has arguments, which end with it", () => {
  const files = { "lib/load.wgsl": "load_${NAME}${STEP}" };
  assert.equal(expand('//#include "lib/load.wgsl" NAME="a" STEP=K/4', { K: 8 }, files), "load_a2");
  const source = '//#include "lib/load.wgsl" NAME="a" STEP=1\n${NAME}';
  assert.throws(() => expand(source, {}, files), /kernel\.wgsl:2: unknown constant NAME/);
});

Deno.test("expandTemplate: what is to be there once is there once", () => {
  const files = { "lib/once.wgsl": "//#once\nconst A = 1;", "lib/more.wgsl": '//#include "lib/once.wgsl"' };
  assert.equal(expand('//#include "lib/once.wgsl"\n//#include "lib/more.wgsl"', {}, files), "const A = 1;");
});

Deno.test("expandTemplate: what is required is enabled once, at the top, unless the compiler knows it anyway", () => {
  const files: Record<string, string> = {
    "kernel.wgsl": 'a\n//#include "lib/s.wgsl"\n//#if 0\n//#requires f16\n//#end\n//#include "lib/s.wgsl"',
    "lib/s.wgsl": "b\n//#requires subgroups",
  };
  const expansion = (knownExtensions?: string[]) =>
    expandTemplate("kernel.wgsl", { knownExtensions, read: (path) => files[path] });
  assert.deepEqual(expansion(), {
    code: "enable subgroups;\na\nb\nb",
    origins: ["lib/s.wgsl:2", "kernel.wgsl:1", "lib/s.wgsl:1", "lib/s.wgsl:1"],
  });
  assert.equal(expansion(["subgroups"]).code, "a\nb\nb");
});

Deno.test("expandTemplate: knows what is bound, and its type", () => {
  const source = "//#if HAS_bias\n${TYPE_bias}\n//#else\nnone\n//#end";
  assert.equal(expand(source, {}, {}, { bias: "f16" }), "f16");
  assert.equal(expand(source), "none");
});

Deno.test("expandTemplate: a tensor's name may have a loop's number in it", () => {
  const files = { "lib/tensor.wgsl": "${NAME} ${TYPE} ${WIDTH}" };
  const source = "//#for P in 1..3\n//#tensor b${P} read N * 2\n//#end";
  assert.equal(expand(source, { N: 4 }, files, { b2: "f16" }), "b1 f32 8\nb2 f16 8");
});

Deno.test("expandTemplate: names the file and line that each line comes from", () => {
  const files: Record<string, string> = {
    "kernel.wgsl": 'a\n//#for I in 0..2\n//#include "lib/b.wgsl"\n//#end\nc',
    "lib/b.wgsl": "//#if I\nb1\n//#else\nb0\n//#end",
  };
  const { code, origins } = expandTemplate("kernel.wgsl", { read: (path) => files[path] });
  assert.equal(code, "a\nb0\nb1\nc");
  assert.deepEqual(origins, ["kernel.wgsl:1", "lib/b.wgsl:4", "lib/b.wgsl:2", "kernel.wgsl:5"]);
});
