import assert from "node:assert/strict";
import { join } from "node:path";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import { readTokenizerFolder } from "../../src/tokenizers/folder.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { LAYOUTS, readGzip, unpackLayout } from "./support.ts";

const readText = async (name: string) => new TextDecoder().decode(await readGzip(name));

const { texts, pairs } = JSON.parse(await readText("layouts/texts.json.gz")) as {
  texts: string[];
  pairs: [post: string, criterion: string, maxLength: number][];
};

/** What transformers made of the texts and pairs; of a pair the last number is the length of its second segment. */
async function readExpected(layout: string): Promise<{ vocabSize: number; rows: number[][] }> {
  const numbers = new Uint32Array((await readGzip(`layouts/${layout}/expected.gz`)).buffer);
  const [vocabSize, ...counts] = numbers.subarray(0, 3);
  assert.deepEqual(counts, [texts.length, pairs.length]);
  let end = 3 + texts.length + pairs.length;
  const rows = Array.from(numbers.subarray(3, end), (length) => [...numbers.subarray(end, end += length)]);
  assert.equal(end, numbers.length);
  return { vocabSize, rows };
}

for (const layout of LAYOUTS) {
  Deno.test(`loadTokenizer: ${layout} gives the ids of transformers for every text and pair`, () =>
    inTemporaryFolder(async (folder) => {
      await unpackLayout(layout, folder);
      const tokenizer = await loadTokenizer(folder);
      const { vocabSize, rows } = await readExpected(layout);
      assert.equal(tokenizer.vocabSize, vocabSize);
      assert.ok(texts.length > 1000);
      texts.forEach((text, i) => assert.deepEqual(tokenizer.encode(text), rows[i], JSON.stringify(text)));
      pairs.forEach(([post, criterion, maxLength], i) => {
        const [{ ids, typeIds }] = tokenizer.encodePair(post, criterion, { maxLength }).chunks;
        const second = typeIds.reduce((sum, type) => sum + type, 0);
        assert.deepEqual([...ids, second], rows[texts.length + i], JSON.stringify([post, criterion, maxLength]));
      });
    }));

  Deno.test(`readTokenizerFolder: ${layout} as a tokenizer.json is the same tokenizer`, () =>
    inTemporaryFolder(async (folder) => {
      await unpackLayout(layout, join(folder, "published"));
      const { document, text, className } = await readTokenizerFolder(join(folder, "published"));
      const saved = join(folder, "saved");
      await Deno.mkdir(saved);
      await Deno.writeTextFile(join(saved, "tokenizer.json"), text);
      for (const name of ["config.json", "tokenizer_config.json"]) {
        const content = await Deno.readFile(join(folder, "published", name)).catch(() =>
          new TextEncoder().encode("{}")
        );
        await Deno.writeFile(join(saved, name), content);
      }
      const again = await readTokenizerFolder(saved);
      assert.deepEqual(again.document, document);
      assert.equal(again.className, className);
    }));
}
