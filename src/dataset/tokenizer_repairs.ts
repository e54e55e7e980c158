import {
  LowercaseNormalizer,
  MetaspacePreTokenizer,
  type Normalizer,
  PrecompiledNormalizer,
  type PreTokenizer,
  PunctuationPreTokenizer,
  SequenceNormalizer,
  SequencePreTokenizer,
  StripNormalizer,
  Tokenizer,
  WhitespaceSplitPreTokenizer,
} from "@huggingface/tokenizers";
import { createCharsmap } from "./precompiled.ts";
import { createUnigram, type UnigramModel } from "./unigram.ts";

/** The parts of a tokenizer.json. */
export interface TokenizerDocument {
  model: unknown;
  [part: string]: unknown;
}

/**
 * A tokenizer of `@huggingface/tokenizers` 0.2, with the parts replaced whose results differ from those of the crate
 * `tokenizers` that `transformers` uses:
 * - Precompiled approximates the map of the file by NFKC and fixed lists; here the map itself is applied;
 * - Strip and WhitespaceSplit use JavaScript's white space (with U+FEFF, without U+0085), Lowercase its final sigma
 *   rule;
 * - Punctuation keeps a run of marks in one piece, whatever the file says;
 * - Metaspace does not split into words, so Unigram runs over whole texts: the sums of log probabilities then round
 *   differently, unknown characters of two words can fuse, and the cost is high.
 * What remains are characters that newer versions of Unicode class otherwise than the crate's older tables.
 */
export function buildTokenizer(document: TokenizerDocument, name: string): Tokenizer {
  const { model } = document;
  // The contents of tokenizer_config.json are not handed on: where the library would act on them (remove_space and
  // others), `transformers` goes by tokenizer.json alone.
  const tokenizer = isUnigram(model) ? buildUnigram(document, model) : new Tokenizer(document, {});
  repairNormalizer(tokenizer.normalizer, name);
  repairPreTokenizer(tokenizer.pre_tokenizer);
  return tokenizer;
}

function isUnigram(model: unknown): model is UnigramModel {
  return Array.isArray((model as UnigramModel | null)?.vocab);
}

/** The library gets no vocabulary, because its search tree of 128,000 pieces takes seconds and 200 MB. */
function buildUnigram(document: TokenizerDocument, model: UnigramModel): Tokenizer {
  const tokenizer = new Tokenizer({ ...document, model: { ...model, vocab: [["", 0]], unk_id: 0 } }, {});
  const shell = tokenizer.model!;
  const encodeWord = createUnigram(model);
  shell.encode = (words) => words.flatMap(encodeWord);
  shell.fuse_unk = false;
  shell.unk_token_id = model.unk_id ?? undefined;
  const added = tokenizer.get_added_tokens_decoder();
  shell.vocab = model.vocab.map(([piece]) => piece);
  added.forEach(({ content }, id) => shell.vocab[id] = content);
  shell.tokens_to_ids = new Map(shell.vocab.map((piece, id) => [piece, id]));
  return tokenizer;
}

function repairNormalizer(normalizer: Normalizer | null, name: string): void {
  if (normalizer instanceof SequenceNormalizer) {
    normalizer.normalizers.forEach((part) => repairNormalizer(part, name));
  } else if (normalizer instanceof PrecompiledNormalizer) {
    const { precompiled_charsmap: charsmap } = normalizer.config as { precompiled_charsmap?: string | null };
    normalizer.normalize = charsmap ? createCharsmap(charsmap, name) : (text) => text;
  } else if (normalizer instanceof StripNormalizer) {
    const { strip_left: left, strip_right: right } = normalizer.config as {
      strip_left?: boolean;
      strip_right?: boolean;
    };
    normalizer.normalize = (text) => {
      const stripped = left ? text.replace(/^\p{White_Space}+/u, "") : text;
      return right ? stripped.slice(0, endOfText(stripped)) : stripped;
    };
  } else if (normalizer instanceof LowercaseNormalizer) {
    normalizer.normalize = (text) => Array.from(text, (character) => character.toLowerCase()).join("");
  }
}

function repairPreTokenizer(preTokenizer: PreTokenizer | null): void {
  if (preTokenizer instanceof SequencePreTokenizer) {
    preTokenizer.tokenizers.forEach(repairPreTokenizer);
  } else if (preTokenizer instanceof MetaspacePreTokenizer) {
    const { replacement } = preTokenizer;
    const whole = preTokenizer.pre_tokenize_text.bind(preTokenizer);
    // Each word begins with the mark that stands for the space before it.
    preTokenizer.pre_tokenize_text = (text, options) =>
      whole(text, options).flatMap((t) => splitBefore(t, replacement));
  } else if (preTokenizer instanceof WhitespaceSplitPreTokenizer) {
    preTokenizer.pre_tokenize_text = (text) => text.match(/\P{White_Space}+/gu) ?? [];
  } else if (preTokenizer instanceof PunctuationPreTokenizer) {
    const behavior = preTokenizer.config.behavior ?? "Isolated";
    preTokenizer.pre_tokenize_text = (text) => splitAtPunctuation(text, behavior);
  }
}

/** Cuts before every mark; a pattern for the end of a long text would be quadratic in its inner spaces. */
function splitBefore(text: string, mark: string): string[] {
  const parts: string[] = [];
  for (let start = 0; start < text.length;) {
    const next = text.indexOf(mark, start + 1);
    const end = next < 0 ? text.length : next;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}

/** The marks of a text as `behavior` wants them; ASCII symbols such as "$" count as marks. */
function splitAtPunctuation(text: string, behavior: string): string[] {
  const mark = "[\\p{P}$+<=>^`|~]";
  const other = "[^\\p{P}$+<=>^`|~]";
  switch (behavior) {
    case "Removed":
      return text.match(new RegExp(`${other}+`, "gu")) ?? [];
    case "Contiguous":
      return text.match(new RegExp(`${other}+|${mark}+`, "gu")) ?? [];
    case "MergedWithPrevious":
      return text.match(new RegExp(`${other}*${mark}|${other}+`, "gu")) ?? [];
    case "MergedWithNext":
      return text.match(new RegExp(`${mark}${other}*|${other}+`, "gu")) ?? [];
    default:
      return text.match(new RegExp(`${other}+|${mark}`, "gu")) ?? [];
  }
}

function endOfText(text: string): number {
  let end = text.length;
  while (end > 0 && /\p{White_Space}/u.test(text[end - 1])) end--;
  return end;
}
