/**
 * Words of the demo's language that may stand for each other: what a masked language model of real text learns by
 * itself, and cannot learn from text in which every expression has one wording.
 */
import type { Random } from "./random.ts";

/** Words of one kind and form; every word stands in one line, and is one piece of the demo's tokenizer. */
const KINDS = `
night day morning afternoon noon dawn
hours days weeks nights minutes
week year
winter summer spring
two three four five six nine ten twelve thirty
food bread meals sweets
breakfast lunch tea
sadness gloom
failure burden waste
hobby game plan party invitation holiday
hobbies games trips holidays
football music cooking chemistry
interest pleasure joy appetite energy strength power hope focus
friends parents neighbours students
sister mother wife aunt cousin daughter niece
brother father husband son
bed chair sofa table
flat room kitchen park town city
death end
mind head
decision choice step chore
page story letter
dates sums emails
meeting conversation appointment
mud rain smoke
legs feet arms hands
cloud storm
heart mood
thread track
pounds sizes
belt shirt
sleeves clothes
space money
snail rabbit doll
sad low hollow empty miserable hopeless bleak
worthless useless guilty ashamed inferior
tired exhausted drained weak weary
boring dull pointless tasteless
dark black grey
fine good happy
restless broken
cry weep
crying weeping
lose lack
loses lacks
losing lacking
lost lacked
find call
finds calls
finding calling
found called
eat finish
eats finishes
eating finishing
ate finished
skip avoid drop
skips avoids drops
skipping avoiding dropping
skipped avoided dropped
sleep doze dream
sleeps dreams
sleeping dozing dreaming
slept dreamed
lie sit stay
lies sits stays
lying staying
lay sat stayed
toss wander pace walk shuffle crawl move
tosses wanders paces walks shuffles moves
tossing wandering walking shuffling moving
tossed wandered paced walked shuffled moved
tap drum fidget rock
taps drums fidgets rocks
tapping drumming rocking
tapped fidgeted rocked
want wish need
wants wishes needs
wanting wishing needing
wanted wished needed
think believe wonder imagine
thinks believes wonders imagines
thinking believing wondering imagining
thought believed wondered imagined
blame despise regret question
blames despises regrets questions
blaming despising questioning
blamed despised regretted questioned
struggle suffer
struggles suffers
struggling suffering
struggled suffered
notice stare
speak react
speaks reacts
speaking reacting
spoke reacted
concentrating deciding understanding
`;

export const INTERCHANGEABLE: readonly (readonly string[])[] = KINDS.trim().split("\n").map((line) => line.split(" "));

const KIND_OF = new Map(INTERCHANGEABLE.flatMap((kind) => kind.map((word) => [word, kind])));

/** Share of the words that are exchanged. */
const EXCHANGED = 0.4;

/** The text with some of its words, small ones only, exchanged for others of their kind. */
export function exchangeWords(random: Random, text: string): string {
  return text.replace(/(?<![A-Za-z])[a-z]+/g, (word) => {
    const kind = KIND_OF.get(word);
    return kind && random.next() < EXCHANGED ? random.pick(kind) : word;
  });
}
