/** Whether the content of a tokenizer.json is of the right kinds: the library that uses it does not ask. */
import { EntailError } from "../errors.ts";
import type { TokenizerDocument } from "./document.ts";

/** More than any vocabulary has; an array is made with a place for each id. */
const MOST_IDS = 1 << 24;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isWhole = (value: unknown, end: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;

/** A data error of the file `name` at the key `key`. */
function fail(name: string, key: string, rule: string): never {
  throw new EntailError("data", `${name}: ${key}: must be ${rule}`);
}

const MODEL_CHECKS = new Map([["Unigram", checkUnigram], ["WordPiece", checkWordPiece], ["BPE", checkBpe]]);

/**
 * The content of a tokenizer.json, with the type of its model. Throws a data error that names the file and the key where
 * model or added tokens cannot be used.
 */
export function checkTokenizer(document: unknown, name: string): TokenizerDocument {
  if (!isRecord(document)) fail(name, "the file", "an object");
  const { model, added_tokens: addedTokens } = document;
  if (!isRecord(model)) fail(name, "model", "an object");
  const added = checkAddedTokens(addedTokens, name);
  const type = model.type ?? inferType(model);
  const check = MODEL_CHECKS.get(type as string) ?? fail(name, "model.type", "Unigram, WordPiece or BPE");
  check(model, name, added);
  return { ...document, model: { ...model, type } } as TokenizerDocument;
}

/** The kind of a model that does not say, as old files do. */
function inferType({ vocab, merges }: Record<string, unknown>): string {
  return Array.isArray(vocab) ? "Unigram" : merges !== undefined ? "BPE" : "WordPiece";
}

/** The contents of the added tokens. */
function checkAddedTokens(tokens: unknown, name: string): Set<string> {
  if (tokens == null) return new Set();
  if (!Array.isArray(tokens)) fail(name, "added_tokens", "a list");
  tokens.forEach((token, i) => {
    if (!isRecord(token)) fail(name, `added_tokens[${i}]`, "an object");
    if (!isWhole(token.id, MOST_IDS)) fail(name, `added_tokens[${i}].id`, `a whole number below ${MOST_IDS}`);
    if (typeof token.content !== "string") fail(name, `added_tokens[${i}].content`, "a text");
  });
  return new Set(tokens.map(({ content }) => content));
}

function checkUnigram({ vocab, unk_id: unknown }: Record<string, unknown>, name: string): void {
  if (!Array.isArray(vocab) || vocab.length === 0) fail(name, "model.vocab", "a list of pieces, each [text, score]");
  vocab.forEach((entry, id) => {
    const isPiece = Array.isArray(entry) && entry.length === 2 && typeof entry[0] === "string" &&
      Number.isFinite(entry[1]);
    if (!isPiece) fail(name, `model.vocab[${id}]`, "[text, score]");
  });
  if (unknown != null && !isWhole(unknown, vocab.length)) {
    fail(name, "model.unk_id", `null or the place of a piece, 0 to ${vocab.length - 1}`);
  }
}

function checkWordPiece(model: Record<string, unknown>, name: string, added: Set<string>): void {
  const pieces = checkVocabulary(model.vocab, name);
  checkUnknownToken(model.unk_token, pieces, added, name);
  const { continuing_subword_prefix: prefix, max_input_chars_per_word: most } = model;
  if (typeof prefix !== "string") fail(name, "model.continuing_subword_prefix", "a text");
  if (most != null && !isWhole(most, Infinity)) fail(name, "model.max_input_chars_per_word", "a whole number");
}

function checkBpe(model: Record<string, unknown>, name: string, added: Set<string>): void {
  const pieces = checkVocabulary(model.vocab, name);
  if (model.unk_token != null) checkUnknownToken(model.unk_token, pieces, added, name);
  const { merges, continuing_subword_prefix: prefix } = model;
  if (prefix != null && typeof prefix !== "string") fail(name, "model.continuing_subword_prefix", "null or a text");
  if (!Array.isArray(merges)) fail(name, "model.merges", "a list of pairs of pieces");
  merges.forEach((merge, i) => {
    const parts = typeof merge === "string" ? merge.split(" ") : merge;
    const isMerge = Array.isArray(parts) && parts.length === 2 && pieces.has(parts[0]) && pieces.has(parts[1]) &&
      pieces.has(parts[0] + parts[1].slice(prefix?.length ?? 0));
    if (!isMerge) fail(name, `model.merges[${i}]`, "two pieces of model.vocab that make a third");
  });
}

/** The pieces of a vocabulary that is an object of ids; it stands at `key` of the file. */
export function checkVocabulary(vocab: unknown, name: string, key = "model.vocab"): Set<string> {
  if (!isRecord(vocab) || Object.keys(vocab).length === 0) fail(name, key, "an object of pieces with their ids");
  for (const [piece, id] of Object.entries(vocab)) {
    if (!isWhole(id, MOST_IDS)) fail(name, `${key}[${JSON.stringify(piece)}]`, `a whole number below ${MOST_IDS}`);
  }
  return new Set(Object.keys(vocab));
}

function checkUnknownToken(token: unknown, pieces: Set<string>, added: Set<string>, name: string): void {
  if (typeof token !== "string" || !(pieces.has(token) || added.has(token))) {
    fail(name, "model.unk_token", "a piece of model.vocab");
  }
}
