/** What is lost where posts are longer than a model reads, said before anything is trained or scored. */
import { sentencesOfPairs } from "../augmentation/evidence.ts";
import type { Config } from "../config/schema.ts";
import type { EncodedPair } from "../dataset/batches.ts";
import { findSentence } from "../dataset/evidence_spans.ts";
import type { Pair } from "../dataset/groundtruth.ts";
import { loadTokenizer } from "../dataset/tokenizer.ts";
import { pairLimits } from "./chunking.ts";
import type { Reporter } from "./reporter.ts";

/** How much is cut off of pairs. */
export interface Truncation {
  /** Pairs in all. */
  pairs: number;
  /** Pairs whose post does not fit. */
  truncated: number;
  /** Tokens of their posts that are cut off. */
  tokens: number;
  /** Evidence sentences of positive pairs that stand in their posts, and those of which something is cut off. */
  evidence?: { sentences: number; cut: number };
}

export const truncationOf = (pairs: readonly EncodedPair[]): Truncation => ({
  pairs: pairs.length,
  truncated: pairs.filter(({ lost }) => lost > 0).length,
  tokens: pairs.reduce((sum, { lost }) => sum + lost, 0),
});

/** A line for people; null where nothing is cut off. */
export function truncationText({ pairs, truncated, tokens, evidence }: Truncation, maxLength: number): string | null {
  if (truncated === 0) return null;
  const number = (value: number) => value.toLocaleString("en-US");
  const lost = evidence === undefined || evidence.sentences === 0
    ? ""
    : `, and ${number(evidence.cut)} of ${number(evidence.sentences)} evidence sentences, whole or in part`;
  return `${number(truncated)} of ${number(pairs)} pairs are longer than data.max_length=${maxLength}: ${
    number(tokens)
  } tokens of their posts are cut off${lost}; raise it, or set data.chunk_max_len to read all in chunks`;
}

/** How much of a run's pairs is cut off and, where there are annotations, how much evidence with it; says it too. */
export async function warnOfTruncation(
  { data }: Config,
  pairs: readonly Pair[],
  tokens: readonly EncodedPair[],
  { reporter, tokenizerFolder }: { reporter: Reporter; tokenizerFolder: string },
): Promise<Truncation> {
  const truncation = truncationOf(tokens);
  if (truncation.truncated > 0 && data.annotations_csv !== null) {
    truncation.evidence = await evidenceCut(data.annotations_csv, pairs, tokens, tokenizerFolder);
  }
  const text = truncationText(truncation, pairLimits(data).maxLength);
  if (text !== null) reporter.warn(text);
  return truncation;
}

async function evidenceCut(
  annotationsCsv: string,
  pairs: readonly Pair[],
  tokens: readonly EncodedPair[],
  tokenizerFolder: string,
): Promise<{ sentences: number; cut: number }> {
  const { encode } = await loadTokenizer(tokenizerFolder);
  let sentences = 0;
  let cut = 0;
  for (const [index, own] of await sentencesOfPairs(annotationsCsv, pairs)) {
    const { post } = pairs[index];
    const { lost } = tokens[index];
    const kept = lost === 0 ? Infinity : encode(post).length - lost;
    for (const sentence of own) {
      const found = findSentence(post, sentence);
      if (found === null) continue;
      sentences++;
      if (kept < Infinity && encode(post.slice(0, found.span.end)).length > kept) cut++;
    }
  }
  return { sentences, cut };
}
