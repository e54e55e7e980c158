import assert from "node:assert/strict";
import { join } from "node:path";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import { EntailError } from "../../src/errors.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { unpackLayout } from "./support.ts";

const isDataError = (pattern: RegExp) => (error: unknown) =>
  error instanceof EntailError && error.kind === "data" && pattern.test(error.message) && !/\n/.test(error.message);

/** A layout with one file changed, or taken away with null. */
async function withFile(layout: string, name: string, content: string | Uint8Array | null, folder: string) {
  const changed = await Deno.makeTempDir({ dir: folder });
  await unpackLayout(layout, changed);
  if (content === null) await Deno.remove(join(changed, name));
  else {await Deno.writeFile(
      join(changed, name),
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );}
  return changed;
}

Deno.test("loadTokenizer: what cannot be used is a data error that names the file", () =>
  inTemporaryFolder(async (folder) => {
    const cases: [layout: string, name: string, content: string | Uint8Array | null, pattern: RegExp][] = [
      ["deberta_v3", "spm.model", null, /: no tokenizer: none of tokenizer\.json, spm\.model, .*vocab\.json/],
      ["deberta_v3", "spm.model", "no such thing", /spm\.model: is no SentencePiece model or is cut short/],
      ["deberta_v3", "tokenizer_config.json", "[]", /tokenizer_config\.json: must be an object/],
      ["deberta_v3", "tokenizer_config.json", "{", /tokenizer_config\.json:1:2: not valid JSON/],
      [
        "deberta_v3",
        "tokenizer_config.json",
        '{"cls_token": null}',
        /tokenizer_config\.json: cls_token: must be a text/,
      ],
      ["deberta_v3", "tokenizer_config.json", '{"cls_token": 5}', /tokenizer_config\.json: cls_token: must be a text/],
      ["bert_cased", "vocab.txt", "", /vocab\.txt: has no pieces/],
      ["bert_cased", "vocab.txt", new Uint8Array([0x61, 0xff]), /vocab\.txt:1:2: not UTF-8|vocab\.txt:1:2/],
      ["roberta", "merges.txt", null, /merges\.txt: is missing beside vocab\.json/],
      ["roberta", "merges.txt", "#version: 0.2\na b c\n", /merges\.txt:2: must be two pieces/],
      [
        "roberta",
        "merges.txt",
        "a nosuchpiece\n",
        /vocab\.json: model\.merges\[0\]: must be two pieces of model\.vocab/,
      ],
      ["roberta", "vocab.json", '{"a": -1}', /vocab\.json: the vocabulary\["a"\]: must be a whole number/],
      ["roberta", "vocab.json", "[1]", /vocab\.json: the vocabulary: must be an object/],
      ["json_roberta", "tokenizer.json", "{}", /tokenizer\.json: model: must be an object/],
    ];
    for (const [layout, name, content, pattern] of cases) {
      const changed = await withFile(layout, name, content, folder);
      await assert.rejects(loadTokenizer(changed), isDataError(pattern), `${layout}/${name}`);
    }
    const folders = await withFile("deberta_v3", "spm.model", null, folder);
    await Deno.mkdir(join(folders, "spm.model"));
    await assert.rejects(loadTokenizer(folders), isDataError(/spm\.model: is a folder, not a file/));
  }));

Deno.test("loadTokenizer: a vocabulary without config.json is read as its file usually is", () =>
  inTemporaryFolder(async (folder) => {
    for (const layout of ["deberta_v3", "xlmr", "bert_uncased", "roberta"]) {
      const whole = await withFile(layout, "config.json", '{"model_type": "unheard-of"}', folder);
      const [bare, published] = [await withFile(layout, "config.json", null, folder), join(folder, layout)];
      await unpackLayout(layout, published);
      const text = "Tired — café 😩 [SEP] </s> [MASK] <mask>";
      const expected = (await loadTokenizer(published)).encode(text);
      assert.deepEqual((await loadTokenizer(bare)).encode(text), expected);
      assert.deepEqual((await loadTokenizer(whole)).encode(text), expected);
    }
  }));
