import { EntailError } from "../errors.ts";
import type { TokenizedPair } from "./batches.ts";
import { type PairTemplate, parsePairTemplate, parseSingleTemplate } from "./pair_template.ts";
import { createEncoder, type Encoder } from "../tokenizers/encoder.ts";
import { readTokenizerFolder } from "../tokenizers/folder.ts";
import { checkTokenizer } from "../tokenizers/checks.ts";

/** A Hugging Face tokenizer, for pairs. */
export interface PairTokenizer {
  /** One more than the largest id that can come out. */
  vocabSize: number;
  /** Token by id, as the vocabulary spells it. */
  vocabulary: readonly (string | undefined)[];
  /** Ids of tokens such as `[CLS]`. */
  specialIds: ReadonlySet<number>;
  /** `[CLS] text [SEP]`, or what the tokenizer's own template for single texts says. */
  single: PairTemplate;
  /** Ids of a text without special tokens. */
  encode(text: string): number[];
  /** Id of a token, undefined if the vocabulary lacks it. */
  tokenId(token: string): number | undefined;
  /**
   * `[CLS] post [SEP] criterion [SEP]`, or what the tokenizer's own template for pairs says, the post shortened from
   * its end to fit `maxLength` (`truncation="only_first"`). Data error if not even one token of the post would remain.
   */
  encodePair(post: string, criterion: string, maxLength: number): TokenizedPair;
}

/** Criteria whose ids are kept; there are nine in a data set. */
const REMEMBERED_CRITERIA = 256;

/** The tokenizer of a Hugging Face folder. Data error if it is missing or not understood. */
export async function loadTokenizer(folder: string): Promise<PairTokenizer> {
  const { document, name } = await readTokenizerFolder(folder);
  return createTokenizer(document, name);
}

/** The tokenizer of a folder, for a model with `vocabSize` embeddings. Data error if it has more tokens. */
export async function loadFittingTokenizer(folder: string, vocabSize: number): Promise<PairTokenizer> {
  const tokenizer = await loadTokenizer(folder);
  if (tokenizer.vocabSize <= vocabSize) return tokenizer;
  throw new EntailError(
    "data",
    `${folder}: the tokenizer has ${tokenizer.vocabSize} tokens, the model's vocab_size is ${vocabSize}; they do not ` +
      "belong together",
  );
}

/** A tokenizer from the content of a tokenizer.json; `name` stands for the file in errors. */
export function createTokenizer(content: unknown, name: string): PairTokenizer {
  let encoder: Encoder;
  let template: PairTemplate;
  let single: PairTemplate;
  try {
    const document = checkTokenizer(content, name);
    encoder = createEncoder(document, name);
    const { length } = encoder.vocabulary;
    template = parsePairTemplate(document.post_processor, length, name);
    single = parseSingleTemplate(document.post_processor, length, name);
  } catch (error) {
    if (error instanceof EntailError) throw error;
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new EntailError("data", `${name}: is not a tokenizer that can be used (${reason})`, { cause: error });
  }
  const encode = (text: string): number[] => encodeText(encoder, text, name);
  const criteria = new Map<string, number[]>();
  // The nine pairs of a post usually follow each other.
  let lastPost = { text: "", ids: [] as number[] };
  return {
    vocabSize: encoder.vocabulary.length,
    vocabulary: encoder.vocabulary,
    specialIds: encoder.specialIds,
    single,
    encode,
    tokenId: (token) => encoder.ids.get(token),
    encodePair: (post, criterion, maxLength) => {
      if (lastPost.text !== post) lastPost = { text: post, ids: encode(post) };
      let criterionIds = criteria.get(criterion);
      if (criterionIds === undefined) {
        if (criteria.size >= REMEMBERED_CRITERIA) criteria.clear();
        criterionIds = encode(criterion);
        criteria.set(criterion, criterionIds);
      }
      const room = maxLength - template.specialTokens - criterionIds.length;
      if (room < lastPost.ids.length && room < 1) {
        throw new EntailError(
          "data",
          `criterion "${shorten(criterion)}" has ${criterionIds.length} tokens and leaves no room for a post in ` +
            `data.max_length=${maxLength}, raise it or shorten the criterion`,
        );
      }
      return template.fill(lastPost.ids, Math.min(room, lastPost.ids.length), criterionIds);
    },
  };
}

function encodeText(encoder: Encoder, text: string, name: string): number[] {
  try {
    return encoder.encode(text);
  } catch (error) {
    throw new EntailError("data", `${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
