/** Pairs that a program gives, without files. */
import { EntailError } from "../errors.ts";
import { textDigest } from "../formats/digest.ts";
import type { Pair } from "./groundtruth.ts";

/** A post, a criterion, and whether the one gives evidence for the other. */
export interface LabelledPair {
  /** The post's text. */
  post: string;
  /** The criterion's text. */
  criterion: string;
  /** 1 or true: it does. */
  label: 0 | 1 | boolean;
  /** Pairs of one post are in one fold, and are resampled together; by default posts with the same text are one. */
  postId?: string;
  /** What metrics of single criteria are called by; by default the criterion's text. */
  criterionId?: string;
  /** Other texts of the criterion, of which training draws one for each pair and epoch. */
  paraphrases?: readonly string[];
}

/** The pairs, complete, and the digest of what they say. Data errors name the pair: `pairs[3].post: …`. */
export function checkedPairs(given: readonly LabelledPair[]): { pairs: Pair[]; digest: string } {
  if (given.length === 0) throw new EntailError("data", "pairs: there are none");
  const places = new Map<string, number>();
  const texts = new Map<string, string>();
  const pairs = given.map((pair, i): Pair => {
    const fail = (field: string, reason: string): never => {
      throw new EntailError("data", `pairs[${i}].${field}: ${reason}`);
    };
    const { post, criterion, label, postId = post, criterionId = criterion, paraphrases } = pair;
    for (const [field, text] of Object.entries({ post, criterion, postId, criterionId })) {
      if (typeof text !== "string" || text.trim() === "") fail(field, "must be a text that is not empty");
    }
    if (![0, 1].includes(Number(label))) fail("label", `must be 0 or 1, not ${label}`);
    const own = JSON.stringify([criterion, paraphrases]);
    if ((texts.get(criterionId) ?? own) !== own) fail("criterion", `criterion ${criterionId} has another text before`);
    texts.set(criterionId, own);
    const key = JSON.stringify([postId, criterionId]);
    const first = places.get(key);
    if (first !== undefined) fail("post", `the same post and criterion as pairs[${first}], remove one`);
    places.set(key, i);
    const others = paraphrases?.length ? { paraphrases } : {};
    return { postId, post, criterionId, criterion, ...others, label: Number(label) as 0 | 1 };
  });
  return { pairs: namedPosts(pairs, given), digest: textDigest(JSON.stringify(pairs)) };
}

/** Posts without an id are numbered: files of a run name posts, and hold no text of theirs. */
function namedPosts(pairs: readonly Pair[], given: readonly LabelledPair[]): Pair[] {
  const numbers = new Map<string, number>();
  return pairs.map((pair, i) => {
    if (given[i].postId !== undefined) return pair;
    if (!numbers.has(pair.post)) numbers.set(pair.post, numbers.size);
    return { ...pair, postId: `post ${numbers.get(pair.post)}` };
  });
}
