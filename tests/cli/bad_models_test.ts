/** Models that cannot be used, as a user meets them: one line, exit status 3, nothing written. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readJson } from "../../src/formats/json.ts";
import { failure } from "../support/command_line.ts";
import { inTemporaryFolder, TEXT_MODEL, writeRunData } from "../support/run_data.ts";

const PUBLISHED = join(TEXT_MODEL, "../published");

/** What makes a model of the copy of `source` unusable, and what is said about it. */
interface BadModel {
  source?: string;
  config?: Record<string, unknown>;
  addedToken?: Record<string, unknown>;
  /** The weights' file is cut to this share of its bytes. */
  cut?: number;
  /** Written instead of the weights. */
  instead?: { file: string; text: string };
  says: RegExp;
}

const shards = JSON.stringify({
  weight_map: { "deberta.embeddings.LayerNorm.weight": "model-00001-of-00002.safetensors" },
});
const BAD_MODELS: Record<string, BadModel> = {
  "cut safetensors": { cut: 0.9, says: /model\.safetensors: / },
  "cut bin": { source: PUBLISHED, cut: 0.9, says: /pytorch_model\.bin: / },
  "bin cut to nothing": { source: PUBLISHED, cut: 0, says: /pytorch_model\.bin: / },
  "no weights": { cut: -1, says: /no model\.safetensors or pytorch_model\.bin/ },
  "shard missing": {
    instead: { file: "model.safetensors.index.json", text: shards },
    says: /model-00001-of-00002\.safetensors: no such file/,
  },
  "page instead of weights": {
    instead: { file: "pytorch_model.bin", text: "<!doctype html>\n<title>404</title>\n" },
    says: /pytorch_model\.bin: /,
  },
  "more tokens than embeddings": {
    addedToken: {
      id: 149,
      content: "<new>",
      special: false,
      lstrip: false,
      rstrip: false,
      normalized: true,
      single_word: false,
    },
    says: /the tokenizer has 150 tokens, the model's vocab_size is 149; they do not belong together/,
  },
  "another vocabulary": { config: { vocab_size: 5000 }, says: /word_embeddings\.weight has shape/ },
  "model type": {
    config: { model_type: "modernbert" },
    says: /config\.json: model_type "modernbert" is not supported/,
  },
  "activation": { config: { hidden_act: "relu" }, says: /config\.json: hidden_act: must be "gelu"/ },
  "positions": { config: { pos_att_type: ["p2p"] }, says: /config\.json: pos_att_type: must be a list of c2p and p2c/ },
  "layers": { config: { num_hidden_layers: 3 }, says: /layer\.2\..* is missing/ },
};

async function writeBadModel(
  folder: string,
  { source = TEXT_MODEL, config, addedToken, cut, instead }: BadModel,
): Promise<void> {
  Deno.mkdirSync(folder);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    Deno.copyFileSync(join(source, name), join(folder, name));
  }
  const published = await readJson(join(source, "config.json")) as object;
  if (addedToken) {
    const tokenizer = await readJson(join(folder, "tokenizer.json")) as { added_tokens: unknown[] };
    tokenizer.added_tokens.push(addedToken);
    Deno.writeTextFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  }
  Deno.writeTextFileSync(join(folder, "config.json"), JSON.stringify({ ...published, ...config }));
  if (instead) return Deno.writeTextFileSync(join(folder, instead.file), instead.text);
  const weights = source === PUBLISHED ? "pytorch_model.bin" : "model.safetensors";
  const bytes = Deno.readFileSync(join(source, weights));
  if (cut !== -1) Deno.writeFileSync(join(folder, weights), bytes.subarray(0, bytes.length * (cut ?? 1)));
}

Deno.test("entail train and predict: a model that cannot be used ends with status 3, and nothing is written", () =>
  inTemporaryFolder(async (folder) => {
    const overrides = writeRunData(folder);
    const pairs = join(folder, "pairs.jsonl");
    Deno.writeTextFileSync(pairs, JSON.stringify({ post: "I never sleep.", criterion: "Insomnia." }));
    for (const [name, bad] of Object.entries(BAD_MODELS)) {
      const model = join(folder, name);
      await writeBadModel(model, bad);
      const files = () => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
      const before = files();
      const commands = [
        ["train", ...overrides, `model.model_name=${model}`],
        ["predict", "--checkpoint", model, "--input", pairs, "--output", join(folder, "scores.jsonl")],
      ];
      for (const [code, line] of await Promise.all(commands.map((command) => failure(command)))) {
        assert.match(line, bad.says, name);
        assert.equal(code, 3, line);
      }
      assert.deepEqual(files(), before, name);
    }
  }));
