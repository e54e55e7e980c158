/** From text to ids, by the content of a tokenizer.json, as the crate `tokenizers` 0.23 does for transformers. */
import { createTokenFinder } from "./added_tokens.ts";
import { createBytePairs } from "./byte_pairs.ts";
import type { TokenizerDocument, TokenizerModel } from "./document.ts";
import { createNormalizer } from "./normalizers.ts";
import { createPreTokenizer } from "./pre_tokenizers.ts";
import { createUnigram } from "./unigram.ts";
import { wordReader } from "./whole_words.ts";
import { createWordPiece } from "./word_piece.ts";

export interface Encoder {
  /** Token by id, as the vocabulary spells it. */
  vocabulary: readonly (string | undefined)[];
  /** Id by token. */
  ids: ReadonlyMap<string, number>;
  /** Ids of tokens such as `[CLS]`. */
  specialIds: ReadonlySet<number>;
  /** The word that a token of the vocabulary is by itself, null where it is none. */
  wordOf(token: string): string | null;
  /** Ids of a text without special tokens around it. */
  encode(text: string): number[];
}

/** Words whose ids are kept, and how long they may be. */
const CACHE_SIZE = 50_000;
const CACHED_LENGTH = 64;

/** `name` stands for the file in errors; the document's model must have been checked. */
export function createEncoder(document: TokenizerDocument, name: string): Encoder {
  const added = document.added_tokens ?? [];
  const { vocabulary, ids } = readVocabulary(document);
  const normalize = createNormalizer(document.normalizer, name);
  const cut = createPreTokenizer(document.pre_tokenizer, name);
  const encodeWord = cached(createModel(document.model, ids));
  const findRaw = createTokenFinder(added.filter(({ normalized }) => !normalized));
  const findNormalized = createTokenFinder(added.filter(({ normalized }) => normalized), normalize);

  const encode = (text: string): number[] => {
    const found: number[] = [];
    findRaw(text.toWellFormed()).forEach((section, i) => {
      if (typeof section === "number") return found.push(section);
      findNormalized(normalize(section)).forEach((part, j) => {
        if (typeof part === "number") return found.push(part);
        for (const word of cut(part, i === 0 && j === 0)) {
          if (word === "") continue;
          for (const id of encodeWord(word)) found.push(id);
        }
      });
    });
    return found;
  };
  const specialIds = new Set(added.filter(({ special }) => special).map(({ id }) => id));
  return { vocabulary, ids, specialIds, wordOf: wordReader(document), encode };
}

function createModel(model: TokenizerModel, ids: ReadonlyMap<string, number>): (word: string) => number[] {
  const unknownId = (): number => {
    const id = model.type === "Unigram" ? model.unk_id : ids.get(model.unk_token ?? "");
    if (id == null) throw new Error("the tokenizer has no unknown token and cannot encode a text");
    return id;
  };
  switch (model.type) {
    case "Unigram":
      return createUnigram(model, unknownId);
    case "WordPiece":
      return createWordPiece(model, unknownId);
    case "BPE":
      return createBytePairs(model, unknownId);
  }
}

function readVocabulary({ model, added_tokens: added }: TokenizerDocument): Pick<Encoder, "vocabulary" | "ids"> {
  const vocabulary: (string | undefined)[] = [];
  const entries = Array.isArray(model.vocab)
    ? model.vocab.map(([piece], id): [string, number] => [piece, id])
    : Object.entries(model.vocab);
  const ids = new Map(entries);
  for (const { content, id } of added ?? []) ids.set(content, id);
  for (const [token, id] of ids) vocabulary[id] = token;
  return { vocabulary, ids };
}

function cached(encodeWord: (word: string) => number[]): (word: string) => number[] {
  const kept = new Map<string, number[]>();
  return (word) => {
    const known = kept.get(word);
    if (known !== undefined) return known;
    const ids = encodeWord(word);
    if (kept.size < CACHE_SIZE && word.length <= CACHED_LENGTH) kept.set(word, ids);
    return ids;
  };
}
