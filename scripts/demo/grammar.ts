/** Inflection of expressions and the building of single sentences. */
import { CRITERIA, phrasesFor, type Purpose } from "./expressions.ts";
import { CONTRAST, type Distraction, NEGATION, NEUTRAL, OTHER, PAST, type Person, PRESENT } from "./frames.ts";
import type { Random } from "./random.ts";

/** A sentence and what it says: criterion indices (0 … 8) that it is evidence for, or that it only mentions. */
export type Sentence = {
  text: string;
  evidence: number[];
  mentions: { criterion: number; reason: Distraction }[];
};

/** Verbs whose past tense is not formed by adding -ed. */
const IRREGULAR_PAST: Record<string, string> = {
  be: "was",
  break: "broke",
  cry: "cried",
  carry: "carried",
  drag: "dragged",
  drop: "dropped",
  drum: "drummed",
  eat: "ate",
  feel: "felt",
  find: "found",
  forget: "forgot",
  get: "got",
  go: "went",
  have: "had",
  hear: "heard",
  leave: "left",
  let: "let",
  lie: "lay",
  lose: "lost",
  make: "made",
  put: "put",
  read: "read",
  run: "ran",
  see: "saw",
  sink: "sank",
  sit: "sat",
  skip: "skipped",
  sleep: "slept",
  speak: "spoke",
  take: "took",
  tap: "tapped",
  think: "thought",
  oversleep: "overslept",
  wake: "woke",
  wring: "wrung",
  regret: "regretted",
};

/** Verbs that double their last consonant before -ing. */
const DOUBLED = new Set(["drag", "drop", "drum", "forget", "get", "let", "put", "run", "sit", "skip", "tap", "regret"]);

/** lie → lies, cry → cries, push → pushes, have → has. */
export function thirdPerson(verb: string): string {
  if (verb === "have") return "has";
  if (/[^aeiou]y$/.test(verb)) return verb.slice(0, -1) + "ies";
  return /(s|sh|ch|x|o)$/.test(verb) ? verb + "es" : verb + "s";
}

/** lie → lay, walk → walked, care → cared. */
export function pastTense(verb: string): string {
  return IRREGULAR_PAST[verb] ?? (verb.endsWith("e") ? verb + "d" : verb + "ed");
}

/** lie → lying, take → taking, sit → sitting, see → seeing. */
export function gerund(verb: string): string {
  if (verb.endsWith("ie")) return verb.slice(0, -2) + "ying";
  if (DOUBLED.has(verb)) return verb + verb.at(-1) + "ing";
  return (/[^e]e$/.test(verb) ? verb.slice(0, -1) : verb) + "ing";
}

const PRONOUNS: Record<Person, { my: string; me: string; myself: string }> = {
  first: { my: "my", me: "me", myself: "myself" },
  she: { my: "her", me: "her", myself: "herself" },
  he: { my: "his", me: "him", myself: "himself" },
  they: { my: "their", me: "them", myself: "themselves" },
};

/** Puts an expression into a frame's slot in the form the slot asks for. */
export function fillFrame(frame: string, expression: string, person: Person): string {
  const space = (expression + " ").indexOf(" ");
  const [verb, rest] = [expression.slice(0, space), expression.slice(space)];
  const pronouns = PRONOUNS[person];
  const tail = rest.replace(/\{(my|me|myself)\}/g, (_, key: "my" | "me" | "myself") => pronouns[key]);
  const forms: Record<string, string> = {
    base: verb,
    third: thirdPerson(verb),
    past: pastTense(verb),
    gerund: gerund(verb),
  };
  return frame.replace(/\{(base|third|past|gerund)\}/, (_, form: string) => forms[form] + tail);
}

/** Upper-case first letter and pronoun "I", full stop. */
function punctuate(words: string): string {
  const sentence = words.replace(/\bi\b/g, "I");
  return sentence[0].toUpperCase() + sentence.slice(1) + ".";
}

/**
 * An expression of a criterion. Evidence and mere mentions are dealt from two decks, so that each expression is
 * equally often the one and the other and says nothing by itself.
 */
function dealExpression(random: Random, purpose: Purpose, criterion: number, role: "evidence" | "mention"): string {
  return random.deal(`${role} ${criterion}`, phrasesFor(CRITERIA[criterion].expressions, purpose));
}

/** The writer's own present symptom. */
export function presentSentence(random: Random, purpose: Purpose, criterion: number): Sentence {
  const expression = dealExpression(random, purpose, criterion, "evidence");
  const text = fillFrame(random.pick(phrasesFor(PRESENT, purpose)), expression, "first");
  return { text: punctuate(text), evidence: [criterion], mentions: [] };
}

/** A sentence with the words of a criterion that is no evidence for it. */
export function distractingSentence(random: Random, purpose: Purpose, criterion: number): Sentence {
  const reason = (["negation", "other", "past", "figurative"] as const)[random.weighted([32, 30, 28, 10])];
  let text: string;
  if (reason === "figurative") text = random.pick(phrasesFor(CRITERIA[criterion].figurative, purpose));
  else if (reason === "other") {
    const other = random.pick(OTHER);
    const expression = dealExpression(random, purpose, criterion, "mention");
    text = fillFrame(random.pick(phrasesFor(other.frames, purpose)), expression, other.person);
  } else {
    const expression = dealExpression(random, purpose, criterion, "mention");
    text = fillFrame(random.pick(phrasesFor(reason === "past" ? PAST : NEGATION, purpose)), expression, "first");
  }
  return { text: punctuate(text), evidence: [], mentions: [{ criterion, reason }] };
}

/** Two halves: somebody else's (or a denied, or a past) symptom, and the writer's own. */
export function contrastSentence(random: Random, purpose: Purpose, mentioned: number, own: number): Sentence {
  const frame = random.pick(phrasesFor(CONTRAST, purpose));
  const person = frame.startsWith("my sister")
    ? "she"
    : frame.startsWith("my brother")
    ? "he"
    : frame.startsWith("my parents")
    ? "they"
    : "first";
  const reason: Distraction = person !== "first" ? "other" : frame.includes("not") ? "negation" : "past";
  const half = fillFrame(frame, dealExpression(random, purpose, mentioned, "mention"), person);
  const ownWords = dealExpression(random, purpose, own, "evidence");
  const text = fillFrame(half.replace("{own}", "{base}"), ownWords, "first");
  return { text: punctuate(text), evidence: [own], mentions: [{ criterion: mentioned, reason }] };
}

/** An everyday sentence. */
export function neutralSentence(random: Random, purpose: Purpose): Sentence {
  return { text: punctuate(random.pick(phrasesFor(NEUTRAL, purpose))), evidence: [], mentions: [] };
}
