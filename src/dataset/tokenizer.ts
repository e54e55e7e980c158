import { EntailError } from "../errors.ts";
import type { EncodedPair } from "./batches.ts";
import { chunkRanges } from "./chunks.ts";
import { type PairTemplate, parsePairTemplate, parseSingleTemplate } from "./pair_template.ts";
import { createEncoder, type Encoder } from "../tokenizers/encoder.ts";
import { readTokenizerFolder } from "../tokenizers/folder.ts";
import { checkTokenizer } from "../tokenizers/checks.ts";

/** How long the sequences of a pair may be. */
export interface PairLimits {
  /** Tokens of a sequence, with its criterion and special tokens. */
  maxLength: number;
  /** Tokens that a chunk of a post shares with the one before it; null or absent: the post is cut at its end instead. */
  chunkStride?: number | null;
}

/** A Hugging Face tokenizer, for pairs. */
export interface PairTokenizer {
  /** One more than the largest id that can come out. */
  vocabSize: number;
  /** Token by id, as the vocabulary spells it. */
  vocabulary: readonly (string | undefined)[];
  /** Ids of tokens such as `[CLS]`. */
  specialIds: ReadonlySet<number>;
  /** The word that a token of the vocabulary is by itself, null where it is none. */
  wordOf(token: string): string | null;
  /** Id of the token that stands for a word to be guessed; undefined where the tokenizer has none. */
  maskId: number | undefined;
  /** `[CLS] text [SEP]`, or what the tokenizer's own template for single texts says. */
  single: PairTemplate;
  /** Ids of a text without special tokens. */
  encode(text: string): number[];
  /**
   * `[CLS] post [SEP] criterion [SEP]`, or what the tokenizer's own template for pairs says, the post shortened from
   * its end to fit `maxLength` (`truncation="only_first"`) or cut into chunks that fit (`return_overflowing_tokens`,
   * `stride`). Data error if not even one token of the post would remain, or chunks would not get on.
   */
  encodePair(post: string, criterion: string, limits: PairLimits): EncodedPair;
}

/** Criteria whose ids are kept; there are nine in a data set. */
const REMEMBERED_CRITERIA = 256;

/** The tokenizer of a Hugging Face folder. Data error if it is missing or not understood. */
export async function loadTokenizer(folder: string): Promise<PairTokenizer> {
  const { document, name, maskToken } = await readTokenizerFolder(folder);
  return createTokenizer(document, name, maskToken);
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
export function createTokenizer(content: unknown, name: string, maskToken?: string): PairTokenizer {
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
    wordOf: encoder.wordOf,
    maskId: maskToken === undefined ? undefined : encoder.ids.get(maskToken),
    single,
    encode,
    encodePair: (post, criterion, limits) => {
      if (lastPost.text !== post) lastPost = { text: post, ids: encode(post) };
      let criterionIds = criteria.get(criterion);
      if (criterionIds === undefined) {
        if (criteria.size >= REMEMBERED_CRITERIA) criteria.clear();
        criterionIds = encode(criterion);
        criteria.set(criterion, criterionIds);
      }
      const { ids } = lastPost;
      const { maxLength, chunkStride = null } = limits;
      const room = maxLength - template.specialTokens - criterionIds.length;
      if (room >= ids.length) return { chunks: [template.fill(ids, ids.length, criterionIds)], lost: 0 };
      checkRoom(room, criterion, criterionIds.length, limits);
      if (chunkStride === null) {
        return { chunks: [template.fill(ids, room, criterionIds)], lost: ids.length - room };
      }
      const chunks = chunkRanges(ids.length, room, chunkStride).map(({ start, end }) =>
        template.fill(ids.slice(start, end), end - start, criterionIds)
      );
      return { chunks, lost: 0 };
    },
  };
}

/** Data error where a criterion leaves less than a token for the post, or less than makes a chunk begin after the last. */
function checkRoom(
  room: number,
  criterion: string,
  criterionTokens: number,
  { maxLength, chunkStride = null }: PairLimits,
): void {
  const who = `criterion "${shorten(criterion)}" has ${criterionTokens} tokens and leaves`;
  if (chunkStride === null && room < 1) {
    throw new EntailError(
      "data",
      `${who} no room for a post in data.max_length=${maxLength}, raise it or shorten the criterion`,
    );
  }
  if (chunkStride === null || room > chunkStride) return;
  throw new EntailError(
    "data",
    `${who} ${Math.max(0, room)} for the post in data.chunk_max_len=${maxLength}, no more than ` +
      `data.chunk_stride=${chunkStride}; raise the former or lower the latter`,
  );
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
