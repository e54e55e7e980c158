/**
 * The best keyword rule: per criterion a set of keywords and phrases of which one must occur for a pair to be positive.
 *
 * The sets are chosen on the very data they are scored on, from all words and phrases of up to three words of the
 * criterion's expressions in all their inflections, by two greedy searches of which the better one counts. That favours
 * the rule: a model is scored on posts that it has not seen.
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
  const perCriterion = CRITERIA.map((criterion, index) => {
    const labelOfPost = new Map(
      pairs.filter((pair) => pair.criterion === index).map((pair) => [pair.post, pair.label]),
    );
    const labels = posts.map((post) => labelOfPost.get(post) ?? 0);
    const candidates = [...expressionPhrases(criterion)];
    const present = candidates.map((phrase) => postPhrases.flatMap((set, post) => set.has(phrase) ? [post] : []));
    return { id: criterion.id, ...bestSet(candidates, present, labels) };
  });
  const meanF1 = perCriterion.reduce((sum, each) => sum + each.f1, 0) / perCriterion.length;
  return { perCriterion, meanF1 };
}

/** How a search prefers one candidate to another: by what it adds, given what is covered already. */
type Gain = (newHits: number, newAlarms: number, hits: number, alarms: number, positives: number) => number;

/** F1 of the set with the candidate. */
const byF1: Gain = (newHits, newAlarms, hits, alarms, positives) =>
  2 * (hits + newHits) / (hits + newHits + alarms + newAlarms + positives);

/** Share of true positives among the posts that the candidate adds; of equals, the one that finds more. */
const byPrecision: Gain = (newHits, newAlarms) => newHits / (newHits + newAlarms) + newHits * 1e-6;

function bestSet(candidates: string[], present: number[][], labels: number[]): { f1: number; phrases: string[] } {
  const [one, other] = [byF1, byPrecision].map((gain) => greedySet(candidates, present, labels, gain));
  return one.f1 >= other.f1 ? one : other;
}

/** Adds the best candidate until nothing is found by any; keeps the longest prefix with the highest F1. */
function greedySet(
  candidates: string[],
  present: number[][],
  labels: number[],
  gain: Gain,
): { f1: number; phrases: string[] } {
  const positives = labels.reduce((sum, label) => sum + label, 0);
  const predicted = labels.map(() => false);
  const phrases: string[] = [];
  let [hits, alarms] = [0, 0];
  let best = { f1: 0, count: 0 };
  while (hits < positives) {
    let next = { gain: -1, index: -1, hits: 0, alarms: 0 };
    for (let index = 0; index < candidates.length; index++) {
      let [newHits, newAlarms] = [0, 0];
      for (const post of present[index]) {
        if (predicted[post]) continue;
        if (labels[post] === 1) newHits++;
        else newAlarms++;
      }
      if (newHits === 0) continue;
      const candidate = gain(newHits, newAlarms, hits, alarms, positives);
      if (candidate > next.gain) next = { gain: candidate, index, hits: newHits, alarms: newAlarms };
    }
    if (next.index < 0) break;
    phrases.push(candidates[next.index]);
    for (const post of present[next.index]) predicted[post] = true;
    hits += next.hits;
    alarms += next.alarms;
    const f1 = 2 * hits / (hits + alarms + positives);
    if (f1 > best.f1) best = { f1, count: phrases.length };
  }
  return { f1: best.f1, phrases: phrases.slice(0, best.count) };
}
