import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { formatCsv, parseCsv, readCsv } from "../../src/formats/csv.ts";

function isDataError(start: string, pattern = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof EntailError && error.kind === "data", String(error));
    assert.ok(error.message.startsWith(start) && !error.message.includes("\n"), error.message);
    assert.match(error.message, pattern);
    return true;
  };
}

/** All rows of a text that comes in one piece. */
async function rowsOf(text: string, requiredColumns: string[]) {
  return await Array.fromAsync((await parseCsv([text], "f.csv", requiredColumns)).rows);
}

const MIXED = 'id,text\r\n\r\n1,"two\r\nlines, ""quoted"""\n2, spaces \r\n\n3,"a\rb"\n4,';

Deno.test("parseCsv: mixed line ends, quoted line breaks, empty lines", async () => {
  const { columns } = await parseCsv([MIXED], "f.csv", ["id", "text"]);
  const rows = await rowsOf(MIXED, ["id", "text"]);
  assert.deepEqual(columns, ["id", "text"]);
  assert.deepEqual(rows.map(({ line, values }) => [line, values.id, values.text]), [
    [3, "1", 'two\r\nlines, "quoted"'],
    [5, "2", " spaces "],
    [7, "3", "a\rb"],
    [9, "4", ""],
  ]);
  assert.equal(rows[0].at("text"), "f.csv:3:3");
  assert.equal(rows[3].at("text"), "f.csv:9:3");
});

Deno.test("parseCsv: a place after a quoted line break is on the later line", async () => {
  const [row] = await rowsOf('a,b,c\n"x\ny,""z",2,3\n', ["a"]);
  assert.equal(row.at("a"), "f.csv:2:1");
  assert.equal(row.at("b"), "f.csv:3:8");
  assert.equal(row.at("c"), "f.csv:3:10");
});

Deno.test("parseCsv: fields of any length", async () => {
  const long = "x".repeat(300_000);
  assert.equal((await rowsOf(`a,b\n1,"${long}"\n`, ["b"]))[0].values.b, long);
});

Deno.test("parseCsv: a column may be called like a member of objects", async () => {
  assert.equal((await rowsOf("__proto__,a\n1,2\n", ["a"]))[0].values["__proto__"], "1");
});

Deno.test("readCsv: a byte order mark, and millions of characters with every kind of record on the seams", async () => {
  const path = await Deno.makeTempFile();
  const records = Array.from({ length: 40_000 }, (_, i) => {
    const kinds = [`plain ${i}`, `two\r\nlines ${i}`, `quote " ${i}`, `,\n\n€😀`, "", "\r", "x".repeat(i)];
    return [`${i}`, kinds[i === 20_000 ? 6 : i % 6]];
  });
  // One record longer than what is parsed at a time.
  records[100][1] = "long\n".repeat(700_000);
  try {
    await Deno.writeTextFile(path, "\uFEFF" + formatCsv([["id", "text"]]));
    const ends = ["\n", "\r\n", "\n\n"];
    const text = records.map((record, i) => formatCsv([record]).trimEnd() + ends[i % 3]).join("");
    await Deno.writeTextFile(path, text, { append: true });
    const { rows } = await readCsv(path, ["id", "text"]);
    let line = 2;
    let i = 0;
    for await (const row of rows) {
      const [id, text] = records[i];
      assert.ok(row.values.id === id && row.values.text === text, `record ${i}`);
      if (i % 97 === 0) assert.equal(row.at("text"), `${path}:${line}:${id.length + 2}`);
      line += text.split(/\r\n|\r|\n/).length - 1 + (i++ % 3 === 2 ? 2 : 1);
    }
    assert.equal(i, records.length);
    await Deno.writeTextFile(path, '1,"bad" quote\n', { append: true });
    const read = async () => await Array.fromAsync((await readCsv(path, ["id"])).rows);
    await assert.rejects(read, isDataError(`${path}:${line}:3: `, /quote inside a field/));
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("parseCsv: a record that never ends is refused before it fills the memory", async () => {
  const endless = function* () {
    yield 'a,b\n1,2\n1,"';
    for (;;) yield "x".repeat(1 << 22);
  };
  const { rows } = await parseCsv(endless(), "f.csv", ["a"]);
  await assert.rejects(Array.fromAsync(rows), isDataError("f.csv:3:1: ", /a quote that is not closed/));
});

Deno.test("parseCsv: rows before a fault come before its error", async () => {
  const { rows } = await parseCsv(['a,b\n1,2\n3,4\n5,6"\n7,8\n'], "f.csv", ["a"]);
  const seen: string[] = [];
  await assert.rejects(async () => {
    for await (const { values } of rows) seen.push(values.a);
  }, isDataError("f.csv:4:3: "));
  assert.deepEqual(seen, ["1", "3"]);
});

Deno.test("parseCsv: faults name file, line and column", async () => {
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
    await assert.rejects(rowsOf(text, ["a", "b"]), isDataError(start, pattern), JSON.stringify(text));
  }
});

Deno.test("formatCsv: what it writes is read back", async () => {
  const rows = [["a", "b"], ["line\nbreak", 'q"uote'], ["\r", " space "], ["comma,", 0.1], ["", "\r\n"], ["ü😀", "\t"]];
  const text = formatCsv(rows);
  assert.ok(text.startsWith("a,b\n"));
  const read = await rowsOf(text, ["a", "b"]);
  assert.deepEqual(read.map(({ values }) => [values.a, values.b]), rows.slice(1).map((row) => row.map(String)));
});
