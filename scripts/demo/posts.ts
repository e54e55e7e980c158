/** Posts of several sentences, and the pairs of posts and criteria made from them. */
import { CRITERIA, type Purpose } from "./expressions.ts";
import { contrastSentence, distractingSentence, neutralSentence, presentSentence, type Sentence } from "./grammar.ts";
import type { Random } from "./random.ts";

/** A generated post. */
export type Post = { id: string; text: string; sentences: Sentence[] };

/** One line of a groundtruth file; `criterion` is an index into `CRITERIA`. */
export type Pair = { post: Post; criterion: number; label: 0 | 1 };

/** How many of each kind of sentence a post has. */
type Plan = { sentences: number; evidence: number; distractions: number; contrastShare: number };

/** Weights of 1 … 15 sentences in the demo set: mostly short, a few long. */
const DEMO_LENGTHS = [6, 13, 18, 19, 15, 10, 6, 4, 2, 1, 1, 0.5, 0.5, 0.5, 0.5];
/** Weights of 0 … 4 criteria that apply, and of 0 … 5 sentences that only mention one, in the demo set. */
const DEMO_EVIDENCE = [22, 42, 25, 9, 2];
const DEMO_DISTRACTIONS = [4, 10, 22, 28, 22, 14];

function buildSentences(random: Random, purpose: Purpose, plan: Plan): Sentence[] {
  const evidence = Math.min(plan.evidence, plan.sentences);
  const own = [...new Set(Array.from({ length: evidence }, () => random.deal("criteria", CRITERIA.map((_, i) => i))))];
  // Mentions avoid the criteria that apply most of the time; otherwise the pair would be positive anyway.
  const foreign = random.shuffled(CRITERIA.map((_, index) => index).filter((index) => !own.includes(index)));
  const sentences: Sentence[] = [];
  for (const criterion of own) {
    const contrast = foreign.length > 0 && random.next() < plan.contrastShare;
    sentences.push(
      contrast
        ? contrastSentence(random, purpose, foreign.shift()!, criterion)
        : presentSentence(random, purpose, criterion),
    );
  }
  const distractions = Math.min(plan.distractions, plan.sentences - sentences.length);
  for (let index = 0; index < distractions; index++) {
    const repeat = own.length > 0 && random.next() < 0.12;
    const criterion = repeat ? random.pick(own) : foreign.shift() ?? random.below(CRITERIA.length);
    sentences.push(distractingSentence(random, purpose, criterion));
  }
  while (sentences.length < plan.sentences) {
    // Long posts repeat themselves: a second piece of evidence for the same criterion.
    const again = own.length > 0 && random.next() < 0.12;
    sentences.push(again ? presentSentence(random, purpose, random.pick(own)) : neutralSentence(random, purpose));
  }
  return random.shuffled(sentences);
}

/** Joins sentences; posts of eight sentences and more have two paragraphs. */
function joinSentences(sentences: Sentence[]): string {
  const texts = sentences.map((sentence) => sentence.text);
  if (texts.length < 8) return texts.join(" ");
  const half = Math.ceil(texts.length / 2);
  return texts.slice(0, half).join(" ") + "\n\n" + texts.slice(half).join(" ");
}

/** `count` different posts for the demo set. */
export function demoPosts(random: Random, count: number): Post[] {
  const posts: Post[] = [];
  const seen = new Set<string>();
  while (posts.length < count) {
    const sentences = buildSentences(random, "demo", {
      sentences: 1 + random.weighted(DEMO_LENGTHS),
      evidence: random.weighted(DEMO_EVIDENCE),
      distractions: random.weighted(DEMO_DISTRACTIONS),
      contrastShare: 0.2,
    });
    const text = joinSentences(sentences);
    if (seen.has(text)) continue;
    seen.add(text);
    posts.push({ id: `demo_${String(posts.length + 1).padStart(4, "0")}`, text, sentences });
  }
  return posts;
}

/** All pairs of posts and criteria, post by post. */
export function allPairs(posts: Post[]): Pair[] {
  return posts.flatMap((post) =>
    CRITERIA.map((_, criterion): Pair => ({ post, criterion, label: labelOf(post, criterion) }))
  );
}

/** 1 where a sentence of the post is evidence for the criterion. */
export function labelOf(post: Post, criterion: number): 0 | 1 {
  return post.sentences.some((sentence) => sentence.evidence.includes(criterion)) ? 1 : 0;
}

/**
 * At least `count` pairs to learn the task from, cut to `count`: posts of one to `maxSentences` sentences, of each the
 * criteria that apply (at most two), one that is only mentioned and one that is absent, so that about 40 % are
 * positive and every post shows that the answer depends on the criterion. Posts in `excluded` are left out.
 */
export function pretrainingPairs(
  random: Random,
  count: number,
  maxSentences: number,
  excluded: ReadonlySet<string>,
): Pair[] {
  const pairs: Pair[] = [];
  const seen = new Set<string>(excluded);
  let posts = 0;
  let repeats = 0;
  while (pairs.length < count) {
    const length = 1 + random.below(maxSentences);
    const evidence = random.weighted([25, 50, 25]);
    const sentences = buildSentences(random, "pretraining", {
      sentences: length,
      evidence,
      distractions: random.weighted(evidence === 0 ? [0, 60, 40] : [30, 45, 25]),
      contrastShare: 0.2,
    });
    const text = joinSentences(sentences);
    // Single sentences run out: those may come again, with another post id.
    if (excluded.has(text) || (length > 1 && seen.has(text) && repeats++ < count)) continue;
    seen.add(text);
    const post: Post = { id: `text_${++posts}`, text, sentences };
    for (const criterion of chooseCriteria(random, post)) {
      pairs.push({ post, criterion, label: labelOf(post, criterion) });
    }
  }
  return pairs.slice(0, count);
}

function chooseCriteria(random: Random, post: Post): number[] {
  const all = random.shuffled(CRITERIA.map((_, index) => index));
  const mentioned = new Set(post.sentences.flatMap((sentence) => sentence.mentions.map((each) => each.criterion)));
  const positive = all.filter((index) => labelOf(post, index) === 1);
  const negative = all.filter((index) => labelOf(post, index) === 0);
  const onlyMentioned = negative.filter((index) => mentioned.has(index));
  const absent = negative.filter((index) => !mentioned.has(index));
  return [...positive.slice(0, 2), ...onlyMentioned.slice(0, 1), ...absent.slice(0, 1)];
}
