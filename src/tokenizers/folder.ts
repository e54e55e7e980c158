/** The tokenizer of a Hugging Face folder, whatever layout it was published in, as the content of a tokenizer.json. */
import { extname, join } from "node:path";
import { EntailError } from "../errors.ts";
import { parseJson, readJson } from "../formats/json.ts";
import { readText } from "../formats/text.ts";
import { checkTokenizer } from "./checks.ts";
import { CLASS_OF_MODEL, CLASSES, type TokenizerClass, type Vocabulary } from "./classes.ts";
import type { AddedTokenWithId, TokenizerDocument, TokenizerModel } from "./document.ts";
import {
  addSpecialTokens,
  contentOf,
  readSpecialTokens,
  type SpecialTokens,
  type TokenFiles,
} from "./special_tokens.ts";
import { exists, readBytePairs, readSentencePiece, readWordPieces } from "./vocabulary_files.ts";

type Json = Record<string, unknown>;

export const TOKENIZER_FILE = "tokenizer.json";
export const SETTINGS_FILE = "tokenizer_config.json";

/** Vocabularies in the order in which they are looked for, each with the class that it usually belongs to. */
const CLASS_OF_FILE: readonly (readonly [file: string, className: string])[] = [
  ["spm.model", "DebertaV2Tokenizer"],
  ["sentencepiece.bpe.model", "XLMRobertaTokenizer"],
  ["vocab.txt", "BertTokenizer"],
  ["vocab.json", "RobertaTokenizer"],
];

/** A tokenizer and where it comes from. */
export interface FolderTokenizer {
  document: TokenizerDocument;
  /** The file that the vocabulary comes from. */
  name: string;
  /** The content of tokenizer.json, or what it would be. */
  text: string;
  /** The class of transformers whose rules hold; undefined where those of tokenizer.json do. */
  className?: string;
  /** What stands for a word to be guessed, as the files name it or else the class. */
  maskToken?: string;
}

/** The tokenizer of a folder. Data error where none can be made. */
export async function readTokenizerFolder(folder: string): Promise<FolderTokenizer> {
  const object = (file: string) => readObject(join(folder, file));
  const settings = await object(SETTINGS_FILE);
  const files: TokenFiles = {
    folder,
    settings,
    specialTokensMap: await object("special_tokens_map.json"),
    addedTokens: await object("added_tokens.json"),
  };
  const className = nameOfClass(settings) ?? nameOfClass(await object("config.json"));
  const name = join(folder, TOKENIZER_FILE);
  if (await exists(name)) {
    const text = await readText(name);
    return { name, text, ...fromDocument(parseJson(text, name), name, className, files) };
  }
  const found = await findVocabulary(folder, className);
  const made = fromVocabulary(found.className, await readVocabulary(found, files), [], files);
  return { name: found.path, text: JSON.stringify(made.document) + "\n", ...made };
}

/** The class that a tokenizer_config.json or config.json names, as `AutoTokenizer` of transformers reads it. */
export function nameOfClass({ tokenizer_class: named, model_type: type }: Json): string | undefined {
  if (typeof named === "string") return named.replace(/Fast$/, "");
  return typeof type === "string" && Object.hasOwn(CLASS_OF_MODEL, type) ? CLASS_OF_MODEL[type] : undefined;
}

/** The rules of a class, if it is one of those that are known. */
const classNamed = (name: string | undefined): TokenizerClass | undefined =>
  name !== undefined && Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;

function fromDocument(
  content: unknown,
  name: string,
  className: string | undefined,
  files: TokenFiles,
): Omit<FolderTokenizer, "name" | "text"> {
  const document = checkTokenizer(content, name);
  const { model } = document;
  const listed = document.added_tokens ?? [];
  if (className !== undefined && classNamed(className)?.model === model.type) {
    // Such a class finds the unknown piece by its name.
    const vocabulary = { model: { ...model, unk_id: undefined }, charsmap: charsmapOf(document.normalizer) };
    return fromVocabulary(className, vocabulary, listed, files);
  }
  const tokens = readSpecialTokens(files, {}, listed);
  const added = addSpecialTokens(model, listed, tokens);
  return { document: { ...document, added_tokens: added, model: withReadScores(model) }, ...maskOf(tokens) };
}

/** The scores as the crate reads them: it rounds their digits first, then divides. */
function withReadScores(model: TokenizerModel): TokenizerModel {
  if (model.type !== "Unigram") return model;
  return { ...model, vocab: model.vocab.map(([piece, score]): [string, number] => [piece, readScore(score)]) };
}

/** `serde_json`'s number for the shortest decimal of a number; the last bit can be another. */
function readScore(score: number): number {
  const [, sign, whole, fraction = "", power = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([-+]\d+))?$/.exec(String(score))!;
  const digits = Number(whole + fraction);
  const exponent = Number(power) - fraction.length;
  const value = exponent < 0 ? digits / 10 ** -exponent : digits * 10 ** exponent;
  return sign === "-" ? -value : value;
}

function maskOf({ named }: SpecialTokens): Pick<FolderTokenizer, "maskToken"> {
  const mask = named.get("mask_token");
  return { maskToken: mask && contentOf(mask) };
}

function fromVocabulary(
  className: string,
  vocabulary: Vocabulary,
  listed: readonly AddedTokenWithId[],
  files: TokenFiles,
): Omit<FolderTokenizer, "name" | "text"> {
  const { tokens: names, build } = CLASSES[className];
  const tokens = readSpecialTokens(files, names, listed, vocabulary.ownTokens);
  const added = addSpecialTokens(vocabulary.model, [], tokens);
  const token = (key: string) => {
    const named = tokens.named.get(key);
    const found = added.find(({ content }) => named !== undefined && content === contentOf(named));
    if (found === undefined) throw new EntailError("data", `${files.folder}: ${SETTINGS_FILE}: ${key}: must be a text`);
    return found;
  };
  const rules = build({ ...vocabulary, settings: files.settings, token });
  const document = { version: "1.0", truncation: null, padding: null, added_tokens: added, ...rules };
  return { document, className, ...maskOf(tokens) };
}

/** The map of a normalizer's part that has one. */
function charsmapOf(normalizer: TokenizerDocument["normalizer"]): string | undefined {
  const parts = normalizer?.type === "Sequence" ? normalizer.normalizers : [normalizer];
  if (!Array.isArray(parts)) return undefined;
  const { precompiled_charsmap: charsmap } = parts.find((part) => part?.type === "Precompiled") ?? {};
  return typeof charsmap === "string" ? charsmap : undefined;
}

async function findVocabulary(
  folder: string,
  className: string | undefined,
): Promise<{ path: string; className: string }> {
  const own = classNamed(className)?.file;
  if (own !== undefined && await exists(join(folder, own))) return { path: join(folder, own), className: className! };
  for (const [file, usual] of CLASS_OF_FILE) {
    if (await exists(join(folder, file))) return { path: join(folder, file), className: usual };
  }
  throw new EntailError(
    "data",
    `${folder}: no tokenizer: none of tokenizer.json, ${CLASS_OF_FILE.map(([file]) => file).join(", ")}; ` +
      "fetch the model's tokenizer files",
  );
}

async function readVocabulary(
  { path, className }: { path: string; className: string },
  files: TokenFiles,
): Promise<Vocabulary> {
  const { arrange, tokens } = CLASSES[className];
  switch (extname(path)) {
    case ".txt":
      return await readWordPieces(path);
    case ".json":
      return await readBytePairs(path, join(files.folder, "merges.txt"));
  }
  const vocabulary = await readSentencePiece(path);
  if (arrange === undefined) return vocabulary;
  const { named } = readSpecialTokens(files, tokens, []);
  const { vocab } = vocabulary.model;
  const pieces = arrange(vocab, (key) => contentOf(named.get(key) ?? tokens[key]));
  return { ...vocabulary, model: { ...vocabulary.model, vocab: pieces } };
}

/** The object in a JSON file; empty where there is no file. */
async function readObject(path: string): Promise<Json> {
  if (!await exists(path)) return {};
  const content = await readJson(path);
  if (typeof content === "object" && content !== null && !Array.isArray(content)) return content as Json;
  throw new EntailError("data", `${path}: must be an object`);
}
