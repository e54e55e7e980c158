import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { formatCsv, parseCsv } from "../../src/formats/csv.ts";

function isDataError(start: string, pattern = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof EntailError && error.kind === "data", String(error));
    assert.ok(error.message.startsWith(start) && !error.message.includes("\n"), error.message);
    assert.match(error.message, pattern);
    return true;
  };
}

Deno.test("parseCsv: byte order mark, mixed line ends, quoted line breaks, empty lines", () => {
  const text = '\uFEFFid,text\r\n\r\n1,"two\r\nlines, ""quoted"""\n2, spaces \r\n\n3,"a\rb"\n4,';
  const table = parseCsv(text, "f.csv", ["id", "text"]);
  assert.deepEqual(table.columns, ["id", "text"]);
  assert.deepEqual(table.rows.map(({ line, values }) => [line, values.id, values.text]), [
    [3, "1", 'two\r\nlines, "quoted"'],
    [5, "2", " spaces "],
    [7, "3", "a\rb"],
    [9, "4", ""],
  ]);
  assert.equal(table.at(table.rows[0], "text"), "f.csv:3:3");
  assert.equal(table.at(table.rows[3], "text"), "f.csv:9:3");
});

Deno.test("parseCsv: a place after a quoted line break is on the later line", () => {
  const table = parseCsv('a,b,c\n"x\ny,""z",2,3\n', "f.csv", ["a"]);
  assert.equal(table.at(table.rows[0], "a"), "f.csv:2:1");
  assert.equal(table.at(table.rows[0], "b"), "f.csv:3:8");
  assert.equal(table.at(table.rows[0], "c"), "f.csv:3:10");
});

Deno.test("parseCsv: fields of any length", () => {
  const long = "x".repeat(300_000);
  assert.equal(parseCsv(`a,b\n1,"${long}"\n`, "f.csv", ["b"]).rows[0].values.b, long);
});

Deno.test("parseCsv: a column may be called like a member of objects", () => {
  const { rows } = parseCsv("__proto__,a\n1,2\n", "f.csv", ["a"]);
  assert.equal(rows[0].values["__proto__"], "1");
});

Deno.test("parseCsv: faults name file, line and column", () => {
  const cases: [string, string, RegExp][] = [
    ["", "f.csv: is empty", /a,b/],
    ["\n\n", "f.csv: is empty", /a,b/],
    ["a,c\n1,2\n", "f.csv:1:", /column "b" is missing \(the nearest there is "c"\)/],
    ["a\n1\n", "f.csv:1:", /column "b" is missing, expected a,b/],
    ["a;b\n1;2\n", "f.csv:1:", /column "a" is missing \(the nearest there is "a;b"\)/],
    ["a,b,a\n1,2,3\n", "f.csv:1:", /"a" is there twice/],
    ['a,b\n1,"x\r\ny"\n1,2,3\n', "f.csv:4:1:", /number of fields, expect 2, got 3/],
    ["a,b\n\n1\n", "f.csv:3:1:", /expect 2, got 1/],
    ['a,b\n1,"x\n2,3\n', "f.csv:2:3:", /never closed/],
    ['a,b\n1,2\n1,x"y\n', "f.csv:3:3:", /a quote inside a field/],
    ['a,b\n1,"x"y\n', "f.csv:2:3:", /a quote inside a field/],
  ];
  for (const [text, start, pattern] of cases) {
    assert.throws(() => parseCsv(text, "f.csv", ["a", "b"]), isDataError(start, pattern), JSON.stringify(text));
  }
});

Deno.test("formatCsv: what it writes is read back", () => {
  const rows = [["a", "b"], ["line\nbreak", 'q"uote'], ["\r", " space "], ["comma,", 0.1], ["", "\r\n"], ["ü😀", "\t"]];
  const text = formatCsv(rows);
  assert.ok(text.startsWith("a,b\n"));
  const table = parseCsv(text, "f.csv", ["a", "b"]);
  assert.deepEqual(table.rows.map(({ values }) => [values.a, values.b]), rows.slice(1).map((row) => row.map(String)));
});
