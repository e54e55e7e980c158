/**
 * The demo checkpoint's configuration and tokenizer: Unigram pieces with a word-start mark and DeBERTa-v3's special tokens.
 *
 * Every word of the generated texts is one piece, scored with its log relative frequency; single characters with a low
 * score spell what the texts do not contain, so that ordinary English never becomes [UNK].
 *
 *   deno run -A scripts/demo/tokenizer.ts [--output data/demo/model]
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CRITERIA } from "./expressions.ts";
import { generateDemo, generatePretraining } from "./generate.ts";
import { wordsOf } from "./keyword_rule.ts";

/** Pairs of pretraining text whose words are counted, and their seed and longest post. */
const COUNTED_PAIRS = 60_000;
const COUNTED_SEED = 7;
const COUNTED_SENTENCES = 6;

const WORD_START = "▁";
const CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()[]{}<>/\\|-–—_+*=%&#@$€£~^`’‘“”•";
/** Endings that cut an unknown inflection of a known word into two pieces instead of letters. */
const ENDINGS = ["s", "ed", "ing", "er", "ly", "n't", "'s", "'m", "'ve", "'re", "'ll"];
/** Score of a piece that only spells: far below any word's. */
const SPELLING_SCORE = -14;

/** How often each word occurs in both texts and the criteria. */
function countWords(): Map<string, number> {
  const counts = new Map<string, number>();
  const add = (text: string) => {
    for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  };
  for (const post of generateDemo().posts) add(post.text);
  for (const post of new Set(generatePretraining(COUNTED_PAIRS, COUNTED_SEED, COUNTED_SENTENCES).map((p) => p.post))) {
    add(post.text);
  }
  for (const criterion of CRITERIA) add(criterion.text);
  return counts;
}

/** Pieces with their scores in vocabulary order; the index is the token id. */
export function vocabulary(): [string, number][] {
  const counts = [...countWords()].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const score = (count: number) => Number(Math.log(count / total).toFixed(4));
  const words = counts.map(([word, count]): [string, number] => [WORD_START + word, score(count)]);
  const known = new Set(words.map(([piece]) => piece));
  const spelling = [WORD_START, ...CHARACTERS, ...[...CHARACTERS].map((each) => WORD_START + each), ...ENDINGS]
    .filter((piece, index, all) => all.indexOf(piece) === index && !known.has(piece))
    .map((piece): [string, number] => [piece, SPELLING_SCORE]);
  const specials = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"].map((token): [string, number] => [token, 0]);
  return [...specials, ...words, ...spelling, ["[MASK]", 0]];
}

/** The checkpoint's config.json: DeBERTa-v3 in small, with the head of `DebertaV2ForSequenceClassification`. */
export function modelConfig(vocabSize: number): Record<string, unknown> {
  return {
    architectures: ["DebertaV2ForSequenceClassification"],
    model_type: "deberta-v2",
    vocab_size: vocabSize,
    hidden_size: 64,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    intermediate_size: 128,
    hidden_act: "gelu",
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    max_position_embeddings: 512,
    max_relative_positions: -1,
    position_buckets: 32,
    relative_attention: true,
    pos_att_type: ["p2c", "c2p"],
    share_att_key: true,
    norm_rel_ebd: "layer_norm",
    position_biased_input: false,
    type_vocab_size: 0,
    layer_norm_eps: 1e-7,
    initializer_range: 0.02,
    pad_token_id: 0,
    classifier_head: "pooler_linear",
    id2label: { "0": "LABEL_0", "1": "LABEL_1" },
    label2id: { LABEL_0: 0, LABEL_1: 1 },
  };
}

/** config.json and the tokenizer files by name. */
export function modelFiles(): Record<string, string> {
  const vocab = vocabulary();
  const idOf = (token: string) => vocab.findIndex(([piece]) => piece === token);
  const special = (content: string) => ({
    id: idOf(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const names = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"];
  const token = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const first = [token("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, token("[SEP]")];
  const second = [{ Sequence: { id: "B", type_id: 1 } }, { SpecialToken: { id: "[SEP]", type_id: 1 } }];
  const metaspace = { type: "Metaspace", replacement: WORD_START, prepend_scheme: "always", split: true };
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: names.map(special),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFKD" },
        { type: "StripAccents" },
        { type: "Lowercase" },
        { type: "Replace", pattern: { Regex: "\\s+" }, content: " " },
        { type: "Strip", strip_left: true, strip_right: true },
      ],
    },
    pre_tokenizer: metaspace,
    post_processor: {
      type: "TemplateProcessing",
      single: first,
      pair: [...first, ...second],
      special_tokens: Object.fromEntries(
        ["[CLS]", "[SEP]"].map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }]),
      ),
    },
    decoder: metaspace,
    model: { type: "Unigram", unk_id: idOf("[UNK]"), vocab, byte_fallback: false },
  };
  const settings = {
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: 512,
    pad_token: "[PAD]",
    cls_token: "[CLS]",
    sep_token: "[SEP]",
    unk_token: "[UNK]",
    mask_token: "[MASK]",
    bos_token: "[CLS]",
    eos_token: "[SEP]",
    clean_up_tokenization_spaces: false,
    model_input_names: ["input_ids", "token_type_ids", "attention_mask"],
  };
  return {
    "config.json": JSON.stringify(modelConfig(vocab.length), null, 2) + "\n",
    "tokenizer.json": JSON.stringify(tokenizer, null, 1) + "\n",
    "tokenizer_config.json": JSON.stringify(settings, null, 2) + "\n",
  };
}

function main(): void {
  const { values } = parseArgs({ options: { output: { type: "string", default: "data/demo/model" } } });
  mkdirSync(values.output, { recursive: true });
  for (const [name, text] of Object.entries(modelFiles())) writeFileSync(join(values.output, name), text);
  console.log(`${vocabulary().length} pieces`);
}

if (import.meta.main) main();
