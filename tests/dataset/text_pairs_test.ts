import assert from "node:assert/strict";
import { openTextPairs, recordWindows } from "../../src/dataset/text_pairs.ts";
import { EntailError } from "../../src/errors.ts";

/** Hands `test` the path of a file of this name and content. */
async function withFile(name: string, content: string, test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/${name}`, content);
    await test(`${folder}/${name}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const SCORE = { logits: [-1, 2.5], probability: 0.75 };
const ADDED = '"logits":[-1,2.5],"probability":0.75}\n';

/** What comes out of a file where every record gets the same score. */
async function scored(path: string): Promise<string> {
  const { head, records } = await openTextPairs(path);
  return head + (await Array.fromAsync(records, (record) => record.withScore(SCORE))).join("");
}

Deno.test("openTextPairs: JSON lines keep the text of their fields", async () => {
  const cases: [string, string][] = [
    ['{"post":"a","criterion":"b"}', '{"post":"a","criterion":"b",'],
    [
      '{"id":12345678901234567890,"post":"a","big":1e400,"criterion":"b","one":1.0,"9":-0,"1":[1.50, {"x": 1E2}]}',
      '{"id":12345678901234567890,"post":"a","big":1e400,"criterion":"b","one":1.0,"9":-0,"1":[1.50, {"x": 1E2}],',
    ],
    ['{"n":1,"n":2,"post":"\\u0061\\/","criterion":"b"}', '{"n":1,"n":2,"post":"\\u0061\\/","criterion":"b",'],
    ['  { "post" : "a" , "criterion" : "b" }  ', '{ "post" : "a" , "criterion" : "b",'],
    [
      '{"probability":[{"logits":1}],"post":"a","l\\u006fgits":null, "criterion":"b","probability":2}',
      '{"post":"a", "criterion":"b",',
    ],
    [
      '{"post":"a","criterion":"b","toString":1,"__proto__":2}',
      '{"post":"a","criterion":"b","toString":1,"__proto__":2,',
    ],
    ['{"post":"a,}]","criterion":"\\\\\\"b{","x":"\\\\"}', '{"post":"a,}]","criterion":"\\\\\\"b{","x":"\\\\",'],
  ];
  await withFile("pairs.jsonl", "\uFEFF" + cases.map(([line]) => line).join("\r\n\n"), async (path) => {
    assert.equal(await scored(path), cases.map(([, kept]) => kept + ADDED).join(""));
  });
});

Deno.test("openTextPairs: the last of repeated texts is scored, as JSON.parse takes it", () =>
  withFile("pairs.jsonl", '{"post":"a","post":"b","criterion":"\\u0063"}\n', async (path) => {
    const [{ post, criterion }] = await Array.fromAsync((await openTextPairs(path)).records);
    assert.deepEqual([post, criterion], ["b", "c"]);
  }));

Deno.test("openTextPairs: CSV keeps its columns, old scores leave", () =>
  withFile("pairs.CSV", 'id,logits,post,criterion,x\r\n007,1,"a\r\nb",c,"\r"\n1e400,,é, d , \n', async (path) => {
    assert.equal(
      await scored(path),
      'id,post,criterion,x,logits,probability\n007,"a\r\nb",c,"\r","[-1,2.5]",0.75\n' +
        '1e400,é," d "," ","[-1,2.5]",0.75\n',
    );
  }));

Deno.test("openTextPairs: nothing in, nothing or a header out", async () => {
  await withFile("pairs.jsonl", "\n \n", async (path) => assert.equal(await scored(path), ""));
  await withFile(
    "pairs.csv",
    "criterion,post\n",
    async (path) => assert.equal(await scored(path), "criterion,post,logits,probability\n"),
  );
});

Deno.test("openTextPairs: faults name file and line, after the records before them", async () => {
  const good = '{"post":"a","criterion":"b"}\n';
  const deep = `{"post":"a","criterion":"b","x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  const cases: [string, string, RegExp][] = [
    ["f.jsonl", good + "\n" + '{"post":"a"}\n', /f\.jsonl:3: "criterion" is missing or not a text$/],
    ["f.jsonl", good + '{"post":1,"criterion":"b"}', /f\.jsonl:2: "post" is missing or not a text$/],
    ["f.jsonl", good + "[1]", /f\.jsonl:2: expected an object/],
    ["f.jsonl", good.repeat(50_000) + '{"post":"a",}', /f\.jsonl:50001:13: not valid JSON, expected a key/],
    ["f.jsonl", good + deep, /f\.jsonl:2:1\d\d\d: nested more than 1000 levels deep$/],
    ["f.csv", "post,criterion\na,b\nc\n", /f\.csv:3:1: wrong number of fields/],
    ["f.csv", 'post,criterion\n"a\n\n",b\nc,d"\n', /f\.csv:5:3: a quote inside a field/],
  ];
  for (const [name, content, pattern] of cases) {
    await withFile(name, content, async (path) => {
      const { records } = await openTextPairs(path);
      let seen = 0;
      await assert.rejects(async () => {
        for await (const _ of records) seen++;
      }, (error) => error instanceof EntailError && error.kind === "data" && pattern.test(error.message));
      assert.ok(seen > 0, name);
    });
  }
  await assert.rejects(
    withFile("f.csv", "post,text\na,b\n", async (path) => void await openTextPairs(path)),
    /f\.csv:1: the column "criterion" is missing/,
  );
});

Deno.test("recordWindows: all records in order, in groups bounded by number and by length", async () => {
  const lengths = [1, 1, 1, 1, 1, 50, 1, 30, 5, 5, 1];
  const lines = lengths.map((length, i) => JSON.stringify({ post: "x".repeat(length), criterion: `${i}` })).join("\n");
  await withFile("pairs.jsonl", lines, async (path) => {
    const { records } = await openTextPairs(path);
    const windows = await Array.fromAsync(recordWindows(records, { most: 3, characters: 20 }));
    const groups = windows.map((window) => window.map(({ criterion }) => Number(criterion)));
    assert.deepEqual(groups, [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9, 10]]);
  });
});

Deno.test("openTextPairs: a prediction is a column of its own, in the place of one that was there", async () => {
  const score = { ...SCORE, prediction: 1 };
  const all = async (path: string, predictions: boolean) => {
    const { head, records } = await openTextPairs(path, { predictions });
    return head + (await Array.fromAsync(records, (record) => record.withScore(predictions ? score : SCORE))).join("");
  };
  await withFile("pairs.csv", "prediction,post,criterion\nold,a,b\n", async (path) => {
    assert.equal(await all(path, true), 'post,criterion,logits,probability,prediction\na,b,"[-1,2.5]",0.75,1\n');
    assert.equal(await all(path, false), 'prediction,post,criterion,logits,probability\nold,a,b,"[-1,2.5]",0.75\n');
  });
  await withFile("pairs.jsonl", '{"prediction":"old","post":"a","criterion":"b"}', async (path) => {
    assert.equal(
      await all(path, true),
      '{"post":"a","criterion":"b","logits":[-1,2.5],"probability":0.75,"prediction":1}\n',
    );
  });
});
