/** Words that would fit where a word stands, as a masked language model sees it: `augmentation.method=contextual`. */
import { likelyWords, type WholeWords, wholeWords } from "../augmentation/whole_words.ts";
import type { Candidate } from "../augmentation/words.ts";
import { packBatch } from "../dataset/batches.ts";
import { createWordMasker, type MaskedWord, maskTokenId } from "../dataset/mask_word.ts";
import type { Span } from "../dataset/align.ts";
import { loadFittingTokenizer, type PairTokenizer } from "../dataset/tokenizer.ts";
import { openCheckpointTensors } from "../formats/checkpoint_tensors.ts";
import { checkMaskedLm, readModelConfig } from "../models/checkpoint.ts";
import type { ModelConfig } from "../models/model_config.ts";
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { longestSequence } from "../models/model.ts";
import { familyOf } from "../models/registry.ts";
import { modelFolder, type ModelFolderOptions } from "../hub/model_folder.ts";
import { maskedLmCapacity, openMaskedLm } from "./masked_lm.ts";

/** Tokens of a word's surroundings, special tokens included. */
const MAX_LENGTH = 128;

/** Items whose words are masked between two looks at Ctrl-C. */
const ITEMS_AT_ONCE = 32;

export interface ContextualOptions {
  /** Tokens of a word's surroundings at most. */
  maxLength?: number;
  /** Called with the number of words done and of all words. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/** What a folder offers for contextual candidates, besides its weights. */
interface Source {
  folder: string;
  config: ModelConfig;
  tokenizer: PairTokenizer;
  maskId: number;
  vocabulary: WholeWords;
  /** A line about a model whose words are of little use; null for others. */
  warning: string | null;
}

/**
 * Checks, without loading weights, that a folder or a model of the hub is a masked language model with a tokenizer that
 * can mask. Data error where it is not.
 */
export async function openContextualSource(name: string, download?: ModelFolderOptions): Promise<Source> {
  const folder = await modelFolder(name, { accept: readModelConfig, ...download });
  const config = await readModelConfig(folder);
  await checkMaskedLm(config, folder);
  const tokenizer = await loadFittingTokenizer(folder, config.vocabSize);
  const maskId = maskTokenId(tokenizer, folder);
  const vocabulary = wholeWords(tokenizer);
  if (vocabulary.ids.length === 0) {
    throw new EntailError(
      "data",
      `${folder}: no token of the tokenizer is known to be a whole word ("▁word" of SentencePiece, "Ġword" of bytes, or ` +
        'WordPiece without "##"); name the folder of another masked language model',
    );
  }
  const warning = await guessesWords(config, folder)
    ? null
    : `${name}: was pretrained to tell replaced words, not to guess them: its words fit badly; name another model`;
  return { folder, config, tokenizer, maskId, vocabulary, warning };
}

/** Whether a model was pretrained to guess words, and not to tell replaced ones. */
async function guessesWords(config: ModelConfig, folder: string): Promise<boolean> {
  const { replacedWords } = familyOf(config).maskedLm;
  const { tensors, close } = await openCheckpointTensors(folder);
  close();
  return replacedWords === undefined || !tensors.has(replacedWords);
}

/** A masked sequence, and which words of which items it stands for. */
interface Masked extends MaskedWord {
  wanted: { item: number; word: number }[];
}

/**
 * For each word of each item: what a masked language model would put in its place, best first, weighted with its
 * probability; at most ten, possibly none. Each word is masked alone, with the text around it as it is; the results do
 * not depend on the other words. `name` is the folder or hub id of a `…ForMaskedLM`.
 */
export async function contextualCandidates(
  gpu: Gpu,
  name: string,
  items: readonly { text: string; words: readonly Span[] }[],
  { maxLength = MAX_LENGTH, onProgress = () => {}, signal }: ContextualOptions = {},
): Promise<Candidate[][][]> {
  const { folder, config, tokenizer, maskId, vocabulary } = await openContextualSource(name);
  const longest = Math.min(maxLength, longestSequence(config));
  const stopIfInterrupted = () => {
    if (signal?.aborted) throw new EntailError("interrupted", "interrupted while looking for contextual words");
  };
  const mask = createWordMasker(tokenizer, { maskId, maxLength: longest });
  const sequences = await maskAll(items, mask, stopIfInterrupted);
  const candidates = items.map(({ words }) => words.map((): Candidate[] => []));
  if (sequences.length === 0) return candidates;

  const total = sequences.reduce((sum, { wanted }) => sum + wanted.length, 0);
  let done = 0;
  const capacity = maskedLmCapacity(gpu, config, longest);
  const model = await openMaskedLm(gpu, { config, folder, capacity });
  try {
    for (let begin = 0; begin < sequences.length; begin += capacity.sequences) {
      stopIfInterrupted();
      const part = sequences.slice(begin, begin + capacity.sequences);
      const logits = await model.predict(packBatch(part, part.map((_, i) => i)), part.map(({ masked }) => masked));
      part.forEach(({ wanted }, i) => {
        for (const { item, word } of wanted) {
          const { text, words } = items[item];
          candidates[item][word] = likelyWords(logits[i], vocabulary, text.slice(words[word].start, words[word].end));
        }
        done += wanted.length;
      });
      onProgress(done, total);
    }
  } finally {
    model.release();
  }
  return candidates;
}

/** Every different masked sequence once, the longest first. */
async function maskAll(
  items: readonly { text: string; words: readonly Span[] }[],
  mask: (text: string, word: Span) => MaskedWord,
  stopIfInterrupted: () => void,
): Promise<Masked[]> {
  const sequences = new Map<string, Masked>();
  for (const [item, { text, words }] of items.entries()) {
    if (item % ITEMS_AT_ONCE === 0) await new Promise((resolve) => setTimeout(resolve));
    stopIfInterrupted();
    words.forEach((span, word) => {
      const sequence = mask(text, span);
      const key = `${sequence.masked}: ${sequence.ids.join(" ")}`;
      const known = sequences.get(key) ?? { ...sequence, wanted: [] };
      known.wanted.push({ item, word });
      sequences.set(key, known);
    });
  }
  return [...sequences.values()].sort((a, b) => b.ids.length - a.ids.length);
}
