/** The tokenizer of a saved model: the files that it came with, set to cut pairs where this program cuts them. */
import { join } from "node:path";
import { EntailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { readJson } from "../formats/json.ts";
import { type DebertaConfig, isStockHead, pairMaxLength } from "./config.ts";

const SETTINGS_FILE = "tokenizer_config.json";

/** Files copied along where they are. */
const COPIED_FILES = ["tokenizer.json", "special_tokens_map.json", "added_tokens.json", "spm.model", "vocab.txt"];

/** Copies a tokenizer into `folder`; its settings get the length of the model's pairs. */
export async function saveTokenizer(config: DebertaConfig, tokenizerFolder: string, folder: string): Promise<void> {
  for (const name of COPIED_FILES) {
    try {
      await writeFileAtomic(join(folder, name), await Deno.readFile(join(tokenizerFolder, name)));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const settings = tokenizerSettings(await readSettings(join(tokenizerFolder, SETTINGS_FILE)), config);
  await writeFileAtomic(join(folder, SETTINGS_FILE), JSON.stringify(settings, null, 2) + "\n");
}

/**
 * `tokenizer_config.json` for a saved model. Posts are cut, and batches filled up, at their end: what else a tokenizer
 * may say would give other numbers there than here.
 */
export function tokenizerSettings(
  settings: Readonly<Record<string, unknown>>,
  config: DebertaConfig,
): Record<string, unknown> {
  const maxLength = pairMaxLength(config);
  const sides = ["truncation_side", "padding_side"].filter((side) => side in settings);
  return {
    // transformers finds the class by the model's type, where it knows that.
    ...(isStockHead(config.classifierHead) ? {} : { tokenizer_class: "DebertaV2Tokenizer" }),
    ...settings,
    ...Object.fromEntries(sides.map((side) => [side, "right"])),
    ...(maxLength === null ? {} : { model_max_length: maxLength }),
  };
}

async function readSettings(path: string): Promise<Record<string, unknown>> {
  if (!await Deno.stat(path).then(() => true, () => false)) return {};
  const settings = await readJson(path);
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    throw new EntailError("data", `${path}: not the settings of a tokenizer: expected an object`);
  }
  return settings as Record<string, unknown>;
}
