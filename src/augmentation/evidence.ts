/** The evidence of positive pairs: which words of a post may be replaced. */
import type { Pair } from "../dataset/groundtruth.ts";
import { evidenceSpans, loadAnnotations, type Span } from "../dataset/prepare.ts";
import { contentWords } from "./words.ts";

/** A positive pair's evidence: its sentences in the whole post, and their words that are worth replacing. */
export interface Evidence {
  spans: readonly Span[];
  words: readonly Span[];
}

/** By index of the pair; only pairs with words. */
export type EvidenceOfPairs = ReadonlyMap<number, Evidence>;

/**
 * Where the annotated sentences of the positive pairs stand. Several sentences of a post and criterion are one pair
 * with several spans; a pair without a sentence that occurs in its post is not in the result. Throws data errors.
 */
export async function loadEvidence(annotationsCsv: string, pairs: readonly Pair[]): Promise<EvidenceOfPairs> {
  const sentences = new Map<string, string[]>();
  for (const { postId, criterionId, sentence, present } of await loadAnnotations(annotationsCsv)) {
    if (!present || criterionId === null) continue;
    const key = pairKey(postId, criterionId);
    sentences.set(key, [...sentences.get(key) ?? [], sentence]);
  }
  const evidence = new Map<number, Evidence>();
  pairs.forEach(({ postId, post, criterionId, label }, index) => {
    if (label !== 1) return;
    const spans = evidenceSpans(post, sentences.get(pairKey(postId, criterionId)) ?? []);
    const words = contentWords(post, spans);
    if (words.length > 0) evidence.set(index, { spans, words });
  });
  return evidence;
}

const pairKey = (postId: string, criterionId: string): string => JSON.stringify([postId, criterionId]);
