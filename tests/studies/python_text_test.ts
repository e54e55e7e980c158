import assert from "node:assert/strict";
import { parsePythonJson, pythonFloat, pythonJson } from "../../src/studies/python_text.ts";

Deno.test("pythonFloat: repr of Python 3", () => {
  const expected: [number, string][] = [
    [0, "0.0"],
    [-0, "-0.0"],
    [1, "1.0"],
    [-2.5, "-2.5"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [1.25e-7, "1.25e-07"],
    [5e-324, "5e-324"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e+16"],
    [123456789012345680, "1.2345678901234568e+17"],
    [0.1 + 0.2, "0.30000000000000004"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
    [NaN, "NaN"],
    [Infinity, "Infinity"],
    [-Infinity, "-Infinity"],
  ];
  for (const [value, text] of expected) assert.equal(pythonFloat(value), text);
});

Deno.test("pythonJson: json.dumps with its separators and escapes", () => {
  const value = { "é": [1, 2.5, 1e-6, null, true, "😀\u007f\n"], b: { c: NaN } };
  assert.equal(
    pythonJson(value),
    '{"\\u00e9": [1, 2.5, 1e-06, null, true, "\\ud83d\\ude00\u007f\\n"], "b": {"c": NaN}}',
  );
  assert.deepEqual(parsePythonJson(pythonJson(value)), value);
});

Deno.test("parsePythonJson: takes bare NaN and Infinity outside strings only", () => {
  assert.deepEqual(parsePythonJson('{"NaN": NaN, "x": [-Infinity, Infinity], "s": "a NaN \\" Infinity"}'), {
    NaN: NaN,
    x: [-Infinity, Infinity],
    s: 'a NaN " Infinity',
  });
  assert.throws(() => parsePythonJson("{NaN"), SyntaxError);
  assert.throws(() => parsePythonJson("nope"), SyntaxError);
});
