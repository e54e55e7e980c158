/** The evidence of positive pairs: which words of a post may be replaced. */
import type { Span } from "../dataset/align.ts";
import { type EvidenceCounts, evidenceSpans } from "../dataset/evidence_spans.ts";
import type { Pair } from "../dataset/groundtruth.ts";
import { loadAnnotations } from "../dataset/prepare.ts";
import { contentWords } from "./words.ts";

/** A positive pair's evidence: its sentences in the whole post, and their words that are worth replacing. */
export interface Evidence {
  spans: readonly Span[];
  words: readonly Span[];
}

/** By index of the pair; only pairs with words. */
export type EvidenceOfPairs = ReadonlyMap<number, Evidence>;

/**
 * Where the annotated sentences of the positive pairs stand, and how many were found. Several sentences of a post and
 * criterion are one pair with several spans; a pair without a sentence that occurs in its post is not in the result.
 * Throws data errors.
 */
export async function loadEvidence(
  annotationsCsv: string,
  pairs: readonly Pair[],
): Promise<{ evidence: EvidenceOfPairs; counts: EvidenceCounts }> {
  const evidence = new Map<number, Evidence>();
  const counts: EvidenceCounts = { verbatim: 0, aligned: 0, missing: 0 };
  for (const [index, sentences] of await sentencesOfPairs(annotationsCsv, pairs)) {
    const { post } = pairs[index];
    const found = evidenceSpans(post, sentences);
    for (const how of ["verbatim", "aligned", "missing"] as const) counts[how] += found.counts[how];
    const words = contentWords(post, found.spans);
    if (words.length > 0) evidence.set(index, { spans: found.spans, words });
  }
  return { evidence, counts };
}

/** The evidence sentences of the positive pairs that have some, by index of the pair. */
export async function sentencesOfPairs(
  annotationsCsv: string,
  pairs: readonly Pair[],
): Promise<Map<number, readonly string[]>> {
  const sentences = new Map<string, string[]>();
  for (const { postId, criterionId, sentence, present } of await loadAnnotations(annotationsCsv)) {
    if (!present || criterionId === null) continue;
    const key = pairKey(postId, criterionId);
    sentences.set(key, [...sentences.get(key) ?? [], sentence]);
  }
  const ofPairs = new Map<number, readonly string[]>();
  pairs.forEach(({ postId, criterionId, label }, index) => {
    const own = label === 1 ? sentences.get(pairKey(postId, criterionId)) : undefined;
    if (own) ofPairs.set(index, own);
  });
  return ofPairs;
}

const pairKey = (postId: string, criterionId: string): string => JSON.stringify([postId, criterionId]);
