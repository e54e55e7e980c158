import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { objectMembers, parseJson, readJson } from "../../src/formats/json.ts";

Deno.test("parseJson: reads what JSON.parse reads", () => {
  const value = { a: [1, -2.5e3, "x\n\u00e9", true, null, {}, []] };
  assert.deepEqual(parseJson(JSON.stringify(value, null, 2), "x"), value);
});

Deno.test("parseJson: names line, column and what is missing", () => {
  const cases: [string, string, RegExp][] = [
    ["", "1:1", /a value/],
    ["  abc", "1:3", /a value/],
    ['{\n  "a": 1,\n  "b": tru\n}', "3:8", /a value/],
    ['{"a": 1,}', "1:9", /a key in double quotes/],
    ["{'a': 1}", "1:2", /a key in double quotes/],
    ['{"a" 1}', "1:6", /":"/],
    ['{"a": 1 "b": 2}', "1:9", /"," or "}"/],
    ["[1, 2", "1:6", /"," or "]"/],
    ["[1,]", "1:4", /a value/],
    ["[1]\n]", "2:1", /the end of the file/],
    ['["ab\ncd"]', "1:5", /closing quote/],
    ['["\\x"]', "1:3", /closing quote/],
    ["[01]", "1:3", /"," or "]"/],
    ['{"a": {"b": [1, {"c": nope}]}}', "1:23", /a value/],
  ];
  for (const [text, place, expected] of cases) {
    assert.throws(() => parseJson(text, "c.json"), (error) => {
      assert.ok(error instanceof EntailError && error.kind === "data");
      assert.ok(error.message.startsWith(`c.json:${place}: not valid JSON, expected `), `${text}: ${error.message}`);
      assert.match(error.message, expected);
      return true;
    });
  }
});

Deno.test("parseJson: deep nesting does not overflow the search for the fault", () => {
  assert.throws(() => parseJson("[".repeat(200_000), "x"), (error) => error instanceof EntailError);
});

Deno.test("parseJson: nesting that no file needs is refused, brackets in strings are none", () => {
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  assert.ok(parseJson(`{"a":\n ${nested(999)}}`, "c.json"));
  for (const levels of [1000, 100_000]) {
    assert.throws(() => parseJson(`{"a":\n ${nested(levels)}}`, "c.json"), (error) => {
      assert.ok(error instanceof EntailError && error.kind === "data");
      assert.equal(error.message, "c.json:2:1001: nested more than 1000 levels deep");
      return true;
    });
  }
  for (const text of ["[".repeat(5000), '\\"[{'.repeat(5000), "\\\\"]) {
    assert.deepEqual(parseJson(JSON.stringify([text, text]), "x"), [text, text]);
  }
});

Deno.test("parseJson: a fault beside a string of many million characters is found", () => {
  const long = `"${"x\\n".repeat(10_000_000)}"`;
  assert.throws(
    () => parseJson(`[${long},]`, "x"),
    new RegExp(`x:1:${long.length + 3}: not valid JSON, expected a value`),
  );
});

Deno.test("objectMembers: each with its own text", () => {
  const cases: [string, [string, string][]][] = [
    ["{}", []],
    [" { } ", []],
    ['{"a":1}', [["a", '"a":1']]],
    ['{ "b" : 1.0 ,\t"1":1e400, "b":12345678901234567890 } ', [
      ["b", ' "b" : 1.0 '],
      ["1", '\t"1":1e400'],
      ["b", ' "b":12345678901234567890 '],
    ]],
    ['{"a":{"x":[1,2,{"y":"}"}],"z":","},"b":"{\\"","\\u0063\\\\":[",", "]"],"":null}', [
      ["a", '"a":{"x":[1,2,{"y":"}"}],"z":","}'],
      ["b", '"b":"{\\""'],
      ["c\\", '"\\u0063\\\\":[",", "]"]'],
      ["", '"":null'],
    ]],
  ];
  for (const [text, members] of cases) {
    JSON.parse(text);
    assert.deepEqual(objectMembers(text).map((member) => [member.key, member.text]), members);
  }
});

Deno.test("readJson: a missing file is a data error", async () => {
  await assert.rejects(
    readJson("/nonexistent/x.json"),
    (error) => error instanceof EntailError && error.kind === "data",
  );
});
