/** Synonym replacement: what WordNet has for a word in its part of speech, in the form that the word has. */
import { distance } from "../packages/fastest_levenshtein.ts";
import type { Span } from "../dataset/align.ts";
import { STOP_WORDS } from "./stop_words.ts";
import type { Candidate } from "./words.ts";
import { openWordNet, type PartOfSpeech, type Sense, type WordNet } from "./wordnet.ts";

/** The words of a text that may be replaced and the sentences in which they stand. */
export interface WordsOfText {
  text: string;
  spans: readonly Span[];
  words: readonly Span[];
}

/** Candidates for each word, best first; none for words that have no synonym. */
export type SynonymFinder = (item: WordsOfText) => Candidate[][];

/** A word's part of speech, base form, and form: the name of the form by which compromise makes it, null for the base. */
interface TaggedWord {
  partOfSpeech: PartOfSpeech;
  lemma: string;
  form: "Plural" | "PastTense" | "PresentTense" | "Gerund" | null;
}

/** What is used of compromise beyond its declared types: its terms, and the functions behind `conjugate` and `toPlural`. */
interface Term {
  tags: Set<string>;
  root?: string;
  offset: { start: number; length: number };
}
interface Transformations {
  verb: { conjugate(infinitive: string, model: object): Record<string, string | undefined> };
  noun: { toPlural(singular: string, model: object): string };
}

/** A sense counts if it is more than this share as frequent as the most frequent one (counts plus one). */
const SENSE_SHARE = 0.5;

/**
 * Names, dates and numbers have no synonyms; of a phrasal verb ("wake up") only a part would be replaced; a possessive
 * is not a form that is made again.
 */
const LEFT_ALONE = [
  "ProperNoun",
  "Pronoun",
  "Date",
  "Value",
  "Possessive",
  "PhrasalVerb",
  "Auxiliary",
  "Modal",
  "Copula",
  "Comparative",
  "Superlative",
];

/** Loads WordNet and the tagger. */
export async function openSynonyms(): Promise<SynonymFinder> {
  const [wordNet, { default: nlp }] = await Promise.all([openWordNet(), import("../packages/compromise.ts")]);
  const model = nlp.model();
  const { transform } = (nlp.methods() as { two: { transform: Transformations } }).two;
  const known = new Map<string, readonly Candidate[]>();

  /** The terms of a sentence, by where they begin in it. */
  function tag(sentence: string): Map<number, Term> {
    // A line break would end the tagger's sentence; offsets stay as they are.
    const view = nlp(sentence.replace(/\s/g, " ")).compute("root").compute("offset");
    const terms = view.docs.flat() as unknown as Term[];
    return new Map(terms.filter(({ offset }) => offset.length > 0).map((term) => [term.offset.start, term]));
  }

  /** A form of a word as far as it is beyond doubt: null where the tagger has none, or more than one. */
  function inflect(lemma: string, form: TaggedWord["form"]): string | null {
    if (form === null) return lemma;
    // "afters", "pes": a plural already, or Latin.
    if (form === "Plural") return /[^s]s$/.test(lemma) ? null : transform.noun.toPlural(lemma, model) || null;
    const forms = transform.verb.conjugate(lemma, model);
    // Past tense and participle look alike in most verbs, and so to the tagger.
    if (form === "PastTense" && (forms.Participle ?? forms.PastTense) !== forms.PastTense) return null;
    return forms[form] ?? null;
  }

  function candidatesOf(word: string, { partOfSpeech, lemma, form }: TaggedWord): readonly Candidate[] {
    const key = [word, partOfSpeech, lemma, form].join(" ");
    let candidates = known.get(key);
    if (!candidates) {
      candidates = weighSynonyms(wordNet.senses(lemma, partOfSpeech), lemma).flatMap(({ text, weight }) => {
        const inflected = inflect(text, form);
        const usable = inflected !== null && (form === null || inflected !== text) && inflected !== word;
        return usable ? [{ text: inflected, weight }] : [];
      });
      known.set(key, candidates);
    }
    return candidates;
  }

  return ({ text, spans, words }) => {
    const sentences = spans.map((span) => ({ span, terms: tag(text.slice(span.start, span.end)) }));
    return words.map(({ start, end }) => {
      const { span, terms } = sentences.find(({ span }) => span.start <= start && end <= span.end)!;
      const term = terms.get(start - span.start);
      if (!term || term.offset.length !== end - start) return [];
      const word = text.slice(start, end).toLowerCase();
      const tagged = describe(term, word, wordNet);
      if (!tagged) return [];
      const article = /(?:^|\P{L})an?\s+$/iu.test(text.slice(0, start));
      return candidatesOf(word, tagged).filter(({ text }) => !article || vowel(text) === vowel(word));
    });
  };
}

/** What the tagger says of a word, if WordNet knows such a word. */
function describe({ tags, root }: Term, word: string, wordNet: WordNet): TaggedWord | null {
  if (LEFT_ALONE.some((tag) => tags.has(tag))) return null;
  const partOfSpeech = tags.has("Verb")
    ? "verb"
    : tags.has("Noun")
    ? "noun"
    : tags.has("Adjective")
    ? "adj"
    : tags.has("Adverb")
    ? "adv"
    : null;
  if (partOfSpeech === null) return null;
  const inflects = partOfSpeech === "noun" || partOfSpeech === "verb";
  const lemma = inflects && root ? root : word;
  if (wordNet.senses(lemma, partOfSpeech).length === 0) return null;
  if (lemma === word) return { partOfSpeech, lemma, form: null };
  const forms = partOfSpeech === "noun" ? ["Plural"] as const : ["Gerund", "PastTense", "PresentTense"] as const;
  const form = forms.find((name) => tags.has(name));
  return form ? { partOfSpeech, lemma, form } : null;
}

/**
 * Synonyms by how probable they are in the word's place: the probability of a sense, times that of the synonym among
 * those of the sense, both from WordNet's tag counts plus one. Nothing tells the senses apart here, so that the rare
 * ones are left out: most replacements from them would change what the sentence says, and with it the label.
 */
function weighSynonyms(senses: readonly Sense[], lemma: string): Candidate[] {
  const most = Math.max(...senses.map(({ count }) => count + 1));
  const likely = senses.filter(({ count }) => count + 1 > SENSE_SHARE * most);
  const total = likely.reduce((sum, { count }) => sum + count + 1, 0);
  const weights = new Map<string, number>();
  for (const { count, synonyms } of likely) {
    const usable = synonyms.filter((synonym) => isUsable(synonym.lemma, lemma));
    const own = usable.reduce((sum, synonym) => sum + synonym.count + 1, 0);
    for (const synonym of usable) {
      const weight = (count + 1) / total * (synonym.count + 1) / own;
      weights.set(synonym.lemma, (weights.get(synonym.lemma) ?? 0) + weight);
    }
  }
  return [...weights].map(([text, weight]) => ({ text, weight })).sort((a, b) => b.weight - a.weight);
}

/** A single word in lower case that is not grammar, nor another spelling or derivation of the word itself. */
function isUsable(synonym: string, word: string): boolean {
  if (!/^[a-z]{3,}$/.test(synonym) || STOP_WORDS.has(synonym)) return false;
  const stem = Math.max(4, Math.min(synonym.length, word.length) - 2);
  return distance(synonym, word) > 1 && synonym.slice(0, stem) !== word.slice(0, stem);
}

const vowel = (word: string): boolean => /^[aeiou]/.test(word);
