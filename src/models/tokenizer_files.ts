/** The tokenizer of a saved model: the one that it came with, set to cut pairs where this program cuts them. */
import { join } from "node:path";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { readJson } from "../formats/json.ts";
import {
  type FolderTokenizer,
  nameOfClass,
  readTokenizerFolder,
  SETTINGS_FILE,
  TOKENIZER_FILE,
} from "../tokenizers/folder.ts";
import { type ModelConfig, pairMaxLength } from "./model_config.ts";

/** Files copied along where they are; tokenizer.json has what they say, but other programs may ask for them. */
const COPIED_FILES = [
  "special_tokens_map.json",
  "added_tokens.json",
  "spm.model",
  "sentencepiece.bpe.model",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
];

/** Saves a tokenizer into `folder`, whatever layout it came in; its settings get the length of the model's pairs. */
export async function saveTokenizer(config: ModelConfig, tokenizerFolder: string, folder: string): Promise<void> {
  const tokenizer = await readTokenizerFolder(tokenizerFolder);
  await writeFileAtomic(join(folder, TOKENIZER_FILE), tokenizer.text);
  for (const name of COPIED_FILES) {
    try {
      await writeFileAtomic(join(folder, name), await Deno.readFile(join(tokenizerFolder, name)));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const settings = tokenizerSettings(await readSettings(join(tokenizerFolder, SETTINGS_FILE)), config, tokenizer);
  await writeFileAtomic(join(folder, SETTINGS_FILE), JSON.stringify(settings, null, 2) + "\n");
}

/**
 * `tokenizer_config.json` for a saved model. Posts are cut, and batches filled up, at their end: what else a tokenizer
 * may say would give other numbers there than here.
 */
export function tokenizerSettings(
  settings: Readonly<Record<string, unknown>>,
  config: ModelConfig,
  { className }: Pick<FolderTokenizer, "className">,
): Record<string, unknown> {
  const maxLength = pairMaxLength(config);
  const sides = ["truncation_side", "padding_side"].filter((side) => side in settings);
  const named = nameOfClass({ tokenizer_class: settings.tokenizer_class });
  const isNamed = named !== undefined && (className === undefined || className === named);
  return {
    ...settings,
    // Without a class transformers takes that of the model's type, which may have other rules.
    ...(isNamed ? {} : { tokenizer_class: className ?? "PreTrainedTokenizerFast" }),
    ...Object.fromEntries(sides.map((side) => [side, "right"])),
    ...(maxLength === null ? {} : { model_max_length: maxLength }),
  };
}

/** The settings that `readTokenizerFolder` has found to be an object; empty where there are none. */
async function readSettings(path: string): Promise<Record<string, unknown>> {
  const exists = await Deno.stat(path).then(() => true, () => false);
  return exists ? await readJson(path) as Record<string, unknown> : {};
}
