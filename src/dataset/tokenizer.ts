import type { Tokenizer } from "@huggingface/tokenizers";
import { join } from "node:path";
import { EntailError } from "../errors.ts";
import { parseJson } from "../formats/json.ts";
import { readText } from "../formats/text.ts";
import type { TokenizedPair } from "./batches.ts";
import { type PairTemplate, parsePairTemplate, parseSingleTemplate } from "./pair_template.ts";
import { checkTokenizer } from "./tokenizer_checks.ts";
import { buildTokenizer, type TokenizerDocument } from "./tokenizer_repairs.ts";

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
  /** Text of ids, special tokens left out. */
  decode(ids: readonly number[]): string;
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

/** Reads `tokenizer.json` of a Hugging Face folder. Data error if it is missing or not understood. */
export async function loadTokenizer(folder: string): Promise<PairTokenizer> {
  const path = join(folder, "tokenizer.json");
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    if (!(error instanceof EntailError) || !(error.cause instanceof Deno.errors.NotFound)) throw error;
    throw new EntailError(
      "data",
      `${folder}: no tokenizer.json; AutoTokenizer.from_pretrained(…).save_pretrained(…) of transformers makes one`,
    );
  }
  return createTokenizer(parseJson(text, path), path);
}

/** A tokenizer from the content of a tokenizer.json; `name` stands for the file in errors. */
export function createTokenizer(document: unknown, name: string): PairTokenizer {
  let tokenizer: Tokenizer;
  let template: PairTemplate;
  let single: PairTemplate;
  try {
    checkTokenizer(document, name);
    const parts = document as TokenizerDocument;
    // The library demands keys that a file may leave out.
    const optional = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
    tokenizer = buildTokenizer({ ...optional, ...parts }, name);
    const vocabSize = tokenizer.model!.vocab.length;
    template = parsePairTemplate(parts.post_processor, vocabSize, name);
    single = parseSingleTemplate(parts.post_processor, vocabSize, name);
  } catch (error) {
    if (error instanceof EntailError) throw error;
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new EntailError("data", `${name}: is not a tokenizer that can be used (${reason})`, { cause: error });
  }
  const encode = (text: string): number[] => text === "" ? [] : encodeText(tokenizer, text, name);
  const criteria = new Map<string, number[]>();
  // The nine pairs of a post usually follow each other.
  let lastPost = { text: "", ids: [] as number[] };
  return {
    vocabSize: tokenizer.model!.vocab.length,
    vocabulary: tokenizer.model!.vocab,
    specialIds: new Set(
      [...tokenizer.get_added_tokens_decoder()].filter(([, token]) => token.special).map(([id]) => id),
    ),
    single,
    encode,
    decode: (ids) => ids.length === 0 ? "" : tokenizer.decode([...ids], { skip_special_tokens: true }),
    tokenId: (token) => tokenizer.token_to_id(token),
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

function encodeText(tokenizer: Tokenizer, text: string, name: string): number[] {
  try {
    return tokenizer.encode(text, { add_special_tokens: false }).ids;
  } catch (error) {
    throw new EntailError("data", `${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
