/**
 * The tokenizer classes of transformers 5.23, as functions from a vocabulary to the content of a tokenizer.json. A class
 * has its own rules for everything but the vocabulary and the added tokens: a tokenizer.json that says otherwise, as
 * those of earlier versions do, is read for these alone.
 */
import type { AddedToken, Part, TokenizerModel } from "./document.ts";

export interface Vocabulary {
  model: TokenizerModel;
  /** SentencePiece's map of the normalizer, in base64. */
  charsmap?: string;
  /** Pieces of a SentencePiece model that stand for themselves. */
  ownTokens?: AddedToken[];
}

export interface ClassInput extends Vocabulary {
  settings: Readonly<Record<string, unknown>>;
  /** Text and id of `cls_token` and so on. */
  token(name: string): { content: string; id: number };
}

/** What a tokenizer.json says besides its added tokens. */
export interface Rules {
  normalizer: Part | null;
  pre_tokenizer: Part;
  post_processor: Part;
  decoder: Part;
  model: TokenizerModel;
}

export interface TokenizerClass {
  model: TokenizerModel["type"];
  /** The file that the vocabulary comes in, besides tokenizer.json. */
  file: string;
  /** Names of the special tokens where no file says otherwise. */
  tokens: Readonly<Record<string, string>>;
  build(input: ClassInput): Rules;
  /** The order that pieces of a SentencePiece model get; `name` gives the text of `cls_token` and so on. */
  arrange?(pieces: [string, number][], name: (key: string) => string): [string, number][];
}

const BERT_TOKENS = {
  unk_token: "[UNK]",
  sep_token: "[SEP]",
  pad_token: "[PAD]",
  cls_token: "[CLS]",
  mask_token: "[MASK]",
};
const DEBERTA_TOKENS = { ...BERT_TOKENS, bos_token: "[CLS]", eos_token: "[SEP]" };
const ROBERTA_TOKENS = {
  bos_token: "<s>",
  eos_token: "</s>",
  sep_token: "</s>",
  cls_token: "<s>",
  unk_token: "<unk>",
  pad_token: "<pad>",
  mask_token: "<mask>",
};

export const CLASSES: Readonly<Record<string, TokenizerClass>> = {
  DebertaV2Tokenizer: { model: "Unigram", file: "spm.model", tokens: DEBERTA_TOKENS, build: debertaV2 },
  XLMRobertaTokenizer: {
    model: "Unigram",
    file: "sentencepiece.bpe.model",
    tokens: ROBERTA_TOKENS,
    build: xlmRoberta,
    arrange: fairseqOrder,
  },
  BertTokenizer: { model: "WordPiece", file: "vocab.txt", tokens: BERT_TOKENS, build: bert },
  RobertaTokenizer: { model: "BPE", file: "vocab.json", tokens: ROBERTA_TOKENS, build: roberta },
  DebertaTokenizer: { model: "BPE", file: "vocab.json", tokens: DEBERTA_TOKENS, build: deberta },
};

/** The class of a model whose files name none. */
export const CLASS_OF_MODEL: Readonly<Record<string, string>> = {
  "deberta-v2": "DebertaV2Tokenizer",
  "xlm-roberta": "XLMRobertaTokenizer",
  bert: "BertTokenizer",
  roberta: "RobertaTokenizer",
  deberta: "DebertaTokenizer",
};

function debertaV2({ model, settings, token }: ClassInput): Rules {
  const { vocab, unk_id } = model as { vocab: [string, number][]; unk_id?: number };
  const { content: unknown } = token("unk_token");
  const found = vocab.findIndex(([piece, score]) => piece === unknown && score === 0);
  const metaspace: Part = {
    type: "Metaspace",
    replacement: "▁",
    prepend_scheme: settings.add_prefix_space ?? true ? "always" : "first",
    split: true,
  };
  const whiteSpace = { type: "Replace", pattern: { Regex: "\\s{2,}|[\\n\\r\\t]" }, content: " " };
  return {
    normalizer: sequence("normalizers", [
      ...settings.do_lower_case ?? false ? [{ type: "Lowercase" }] : [],
      whiteSpace,
      { type: "NFC" },
      { type: "Strip", strip_left: false, strip_right: true },
    ]),
    pre_tokenizer: sequence("pretokenizers", [
      ...settings.split_by_punct ?? false ? [{ type: "Punctuation", behavior: "Isolated" }] : [],
      metaspace,
    ]),
    post_processor: template("cls_token", "sep_token", token, { between: 1, second: 1 }),
    decoder: metaspace,
    model: {
      type: "Unigram",
      unk_id: found >= 0 ? found : unk_id ?? Number(settings.unk_id ?? 1),
      vocab,
      byte_fallback: false,
    },
  };
}

function xlmRoberta({ model, charsmap, settings, token }: ClassInput): Rules {
  const metaspace: Part = {
    type: "Metaspace",
    replacement: "▁",
    prepend_scheme: settings.add_prefix_space ?? true ? "always" : "never",
    split: true,
  };
  return {
    normalizer: charsmap === undefined ? null : { type: "Precompiled", precompiled_charsmap: charsmap },
    pre_tokenizer: sequence("pretokenizers", [{ type: "WhitespaceSplit" }, metaspace]),
    post_processor: template("bos_token", "eos_token", token, { between: 2, second: 0 }),
    decoder: metaspace,
    model: { ...model, type: "Unigram", unk_id: 3, byte_fallback: false } as TokenizerModel,
  };
}

/** Fairseq's own special tokens in place of the model's three, and its mask at the end. */
function fairseqOrder(pieces: [string, number][], name: (key: string) => string): [string, number][] {
  const special = (key: string): [string, number] => [name(key), 0];
  return [
    ...["bos_token", "pad_token", "eos_token", "unk_token"].map(special),
    ...pieces.slice(3),
    special("mask_token"),
  ];
}

function bert({ model, settings, token }: ClassInput): Rules {
  return {
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: settings.tokenize_chinese_chars ?? true,
      strip_accents: settings.strip_accents ?? null,
      lowercase: settings.do_lower_case ?? true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: template("cls_token", "sep_token", token, { between: 1, second: 1 }),
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: token("unk_token").content,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: model.vocab as Record<string, number>,
    },
  };
}

function roberta(input: ClassInput): Rules {
  const [sep, cls] = ["sep_token", "cls_token"].map(input.token).map(({ content, id }) => [content, id]);
  const prefix = input.settings.add_prefix_space ?? false;
  return {
    ...byteLevel(input),
    post_processor: { type: "RobertaProcessing", sep, cls, trim_offsets: true, add_prefix_space: prefix },
  };
}

function deberta(input: ClassInput): Rules {
  const pairs = template("cls_token", "sep_token", input.token, { between: 2, second: 0 });
  return { ...byteLevel(input), post_processor: pairs };
}

function byteLevel({ model, settings }: ClassInput): Omit<Rules, "post_processor"> {
  const part = (prefix: unknown): Part => ({
    type: "ByteLevel",
    add_prefix_space: prefix,
    trim_offsets: true,
    use_regex: true,
  });
  const { vocab, merges } = model as { vocab: Record<string, number>; merges: [string, string][] };
  return {
    normalizer: null,
    pre_tokenizer: part(settings.add_prefix_space ?? false),
    decoder: part(true),
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges,
    } as TokenizerModel,
  };
}

const sequence = (key: string, parts: readonly Part[]): Part => ({ type: "Sequence", [key]: parts });

/** `first A last`, and with a second text `first A last… B last`: `between` of them, the second text's in a segment. */
function template(
  first: string,
  last: string,
  token: ClassInput["token"],
  { between, second }: { between: number; second: 0 | 1 },
): Part {
  const [begin, end] = [token(first), token(last)];
  const special = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
  const single = [special(begin.content, 0), { Sequence: { id: "A", type_id: 0 } }, special(end.content, 0)];
  const separators = Array.from({ length: between - 1 }, () => special(end.content, 0));
  return {
    type: "TemplateProcessing",
    single,
    pair: [...single, ...separators, { Sequence: { id: "B", type_id: second } }, special(end.content, second)],
    special_tokens: Object.fromEntries(
      [begin, end].map(({ content, id }) => [content, { id: content, ids: [id], tokens: [content] }]),
    ),
  };
}
