import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { parseJson, readJson } from "../../src/formats/json.ts";

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

Deno.test("readJson: a missing file is a data error", async () => {
  await assert.rejects(
    readJson("/nonexistent/x.json"),
    (error) => error instanceof EntailError && error.kind === "data",
  );
});
