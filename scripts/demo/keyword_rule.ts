/**
 * The best keyword rule: per criterion a set of keywords and phrases of which one must occur for a pair to be positive.
 *
 * The sets are chosen on the very data they are scored on, greedily by F1, from all words and phrases of up to three
 * words of the criterion's expressions and from all words of the texts. That favours the rule: a model is scored on
 * posts that it has not seen.
 */
import { CRITERIA, type Criterion } from "./expressions.ts";
import { fillFrame } from "./grammar.ts";
import type { Pair } from "./posts.ts";

/** The chosen phrases per criterion and their F1, and the mean over the criteria. */
export type KeywordRule = { perCriterion: { id: string; f1: number; phrases: string[] }[]; meanF1: number };

/** Words in lower case without punctuation. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z]+/g) ?? [];
}

function phrasesOf(words: string[], longest: number): Set<string> {
  const phrases = new Set<string>();
  for (let start = 0; start < words.length; start++) {
    for (let length = 1; length <= longest && start + length <= words.length; length++) {
      phrases.add(words.slice(start, start + length).join(" "));
    }
  }
  return phrases;
}

function expressionPhrases(criterion: Criterion): Set<string> {
  const phrases = new Set<string>();
  const { shared, demo } = criterion.expressions;
  for (const expression of [...shared, ...demo]) {
    for (const form of ["{base}", "{third}", "{past}", "{gerund}"]) {
      const words = wordsOf(fillFrame(form, expression, "first"));
      for (const phrase of phrasesOf(words, 3)) phrases.add(phrase);
    }
  }
  return phrases;
}

/** Searches the best rule for `pairs`, which hold every criterion of every post. */
export function bestKeywordRule(pairs: Pair[]): KeywordRule {
  const posts = [...new Set(pairs.map((pair) => pair.post))];
  const postPhrases = posts.map((post) => phrasesOf(wordsOf(post.text), 3));
  const vocabulary = new Set(posts.flatMap((post) => wordsOf(post.text)));
  const perCriterion = CRITERIA.map((criterion, index) => {
    const labelOfPost = new Map(
      pairs.filter((pair) => pair.criterion === index).map((pair) => [pair.post, pair.label]),
    );
    const labels = posts.map((post) => labelOfPost.get(post) ?? 0);
    const candidates = [...new Set([...expressionPhrases(criterion), ...vocabulary])];
    const present = candidates.map((phrase) => postPhrases.flatMap((set, post) => set.has(phrase) ? [post] : []));
    return { id: criterion.id, ...greedySet(candidates, present, labels) };
  });
  const meanF1 = perCriterion.reduce((sum, each) => sum + each.f1, 0) / perCriterion.length;
  return { perCriterion, meanF1 };
}

function greedySet(candidates: string[], present: number[][], labels: number[]): { f1: number; phrases: string[] } {
  const positives = labels.reduce((sum, label) => sum + label, 0);
  const predicted = labels.map(() => false);
  const phrases: string[] = [];
  let [hits, alarms, f1] = [0, 0, 0];
  while (true) {
    let best = { f1, index: -1, hits: 0, alarms: 0 };
    for (let index = 0; index < candidates.length; index++) {
      let [newHits, newAlarms] = [0, 0];
      for (const post of present[index]) {
        if (predicted[post]) continue;
        if (labels[post] === 1) newHits++;
        else newAlarms++;
      }
      const candidate = 2 * (hits + newHits) / (hits + newHits + alarms + newAlarms + positives);
      if (candidate > best.f1) best = { f1: candidate, index, hits: newHits, alarms: newAlarms };
    }
    if (best.index < 0) return { f1, phrases };
    phrases.push(candidates[best.index]);
    for (const post of present[best.index]) predicted[post] = true;
    hits += best.hits;
    alarms += best.alarms;
    f1 = best.f1;
  }
}
