/** Where annotated sentences stand in their post. */
import { alignSentence, type Span } from "./align.ts";

/** Evidence sentences that stand in their posts as they are written, nearly so, and not at all. */
export interface EvidenceCounts {
  /** Sentences that stand in their post word for word. */
  verbatim: number;
  /** Sentences that were found in nearly the same words. */
  aligned: number;
  /** Sentences that were not found. */
  missing: number;
}

/** A line for people about sentences that do not stand in their posts as they are written; null where all do. */
export function notVerbatimText({ verbatim, aligned, missing }: EvidenceCounts): string | null {
  const others = aligned + missing;
  if (others === 0) return null;
  const all = verbatim + others;
  return `${others} of ${all} evidence sentences (${
    (100 * others / all).toFixed(1)
  } %) do not stand in their posts word ` +
    `for word: ${aligned} stand there in nearly the same words, ${missing} are left out`;
}

/**
 * Where a sentence stands in a post, or, where it does not, the sentences of the post that are nearly the same and nothing
 * else is. Runs of white space match any other run, because annotated sentences lose their line breaks.
 */
export function findSentence(post: string, sentence: string): { span: Span; how: "verbatim" | "aligned" } | null {
  const words = sentence.trim().split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) return null;
  const pattern = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("\\s+");
  const match = new RegExp(pattern).exec(post);
  if (match) return { span: { start: match.index, end: match.index + match[0].length }, how: "verbatim" };
  const span = alignSentence(post, sentence);
  return span === null ? null : { span, how: "aligned" };
}

/** Where evidence sentences stand in a post: in order, overlapping and touching ones joined; and how they were found. */
export function evidenceSpans(post: string, sentences: readonly string[]): { spans: Span[]; counts: EvidenceCounts } {
  const counts: EvidenceCounts = { verbatim: 0, aligned: 0, missing: 0 };
  const found: Span[] = [];
  for (const sentence of new Set(sentences)) {
    const place = findSentence(post, sentence);
    counts[place?.how ?? "missing"]++;
    if (place) found.push(place.span);
  }
  found.sort((a, b) => a.start - b.start || a.end - b.end);
  const spans: Span[] = [];
  for (const span of found) {
    const last = spans.at(-1);
    if (last && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else spans.push({ ...span });
  }
  return { spans, counts };
}
