/**
 * The expression inventory of the demo data: how people say that a criterion applies to them.
 *
 * Each expression begins with a verb in its base form, which `grammar.ts` inflects; `{my}`, `{me}` and `{myself}`
 * follow the person the sentence is about. `shared` occurs in both texts, `demo` only in the demo set and `pretraining`
 * only in the text that the demo's checkpoint was pretrained on. `figurative` sentences use the same words for
 * something else and are evidence for nothing. The wording is the project's own and deliberately mild.
 */

/** One of the two texts that are generated. */
export type Purpose = "demo" | "pretraining";

/** Phrases by the text they may occur in. */
export type Inventory = { shared: string[]; demo: string[]; pretraining: string[] };

/** A criterion with everything that can be said about it. */
export type Criterion = {
  id: string;
  symptom: string;
  text: string;
  expressions: Inventory;
  figurative: Inventory;
};

/** The phrases of an inventory that may occur in one of the two texts. */
export function phrasesFor(inventory: Inventory, purpose: Purpose): string[] {
  return [...inventory.shared, ...inventory[purpose]];
}

/** The nine criteria A.1 … A.9, paraphrased. */
export const CRITERIA: Criterion[] = [
  {
    id: "A.1",
    symptom: "DEPRESSED_MOOD",
    text: "Feels sad, empty or hopeless on most days.",
    expressions: {
      shared: [
        "sit weeping in the dark",
        "feel hollow inside",
        "cry for no reason",
        "wake up with a heavy heart",
        "feel low from morning to night",
        "carry a great sadness around",
        "feel sad and empty",
        "have tears in {my} eyes at work",
        "sink into gloom by noon",
        "live under a black cloud",
      ],
      demo: ["see only grey ahead", "feel sad and miserable", "lose all hope"],
      pretraining: ["feel down the whole day", "break into tears over nothing", "have a dark mood", "find life sad"],
    },
    figurative: {
      shared: [
        "the low season leaves the beach bleak",
        "we sat in the dark and lost hope of a bus",
        "the ending of that film was so sad that the whole row had tears",
        "the fridge is hopeless and always empty",
        "a black cloud brought heavy rain by noon",
        "the wall was painted a hollow grey",
      ],
      demo: ["onions make everyone cry and weep"],
      pretraining: ["the tears of the onion cutter are no reason to feel sad", "the lamp gives the room a dark mood"],
    },
  },
  {
    id: "A.2",
    symptom: "ANHEDONIA",
    text: "Has lost interest or pleasure in almost everything.",
    expressions: {
      shared: [
        "lose interest in football",
        "find {my} old hobbies pointless",
        "turn down every invitation",
        "lack any interest in friends",
        "find every plan boring",
        "watch films without any pleasure",
        "feel indifferent about everything",
        "lack any pleasure in cooking",
        "leave the guitar untouched",
        "find all games dull",
      ],
      demo: [
        "lack any interest in music",
        "find even holidays dull",
        "stay away from the choir",
      ],
      pretraining: [
        "drop every hobby",
        "get bored by every game",
        "fail to enjoy trips",
        "avoid every party",
      ],
    },
    figurative: {
      shared: [
        "holidays in the wild garden are fun",
        "they lost interest payments for a year",
        "the bank pays no interest on old accounts",
        "what a pleasure the music was with friends",
        "cooking is fun and so are the other hobbies",
        "the invitation says nothing about a guitar",
      ],
      demo: ["the football match was dull but the choir was a joy"],
      pretraining: ["a hobby shop sells games for trips", "the party was a pleasure without any music"],
    },
  },
  {
    id: "A.3",
    symptom: "APPETITE_CHANGE",
    text: "Eats or weighs clearly less or more than usual.",
    expressions: {
      shared: [
        "put on ten pounds",
        "lack any appetite",
        "skip most meals",
        "lose weight without trying",
        "gain weight week after week",
        "eat all day long",
        "finish whole bags of sweets",
        "need a smaller belt",
        "find food tasteless",
        "eat half a sandwich a day",
      ],
      demo: ["eat bread all day long", "leave lunch untouched", "stuff {myself} with bread"],
      pretraining: ["forget to eat", "drop two sizes", "have clothes that hang loose", "eat far more than usual"],
    },
    figurative: {
      shared: [
        "the bread was put in the fridge",
        "there is some weight to the meals argument",
        "the new shop has an appetite for risk",
        "his words carry weight with the plate makers",
        "we sell bags of food and sweets for the market",
        "a belt and a sandwich cost ten pounds",
      ],
      demo: ["that is food for thought over lunch"],
      pretraining: ["the clothes come in two sizes", "this machine eats coins"],
    },
  },
  {
    id: "A.4",
    symptom: "SLEEP_ISSUES",
    text: "Sleeps too little or far too much.",
    expressions: {
      shared: [
        "hear every hour strike in bed",
        "lie awake until three",
        "sleep through the alarm until noon",
        "toss around all night",
        "sleep twelve hours a day",
        "get two hours of sleep",
        "need pills to fall asleep",
        "have broken nights",
        "stay in bed until noon",
        "suffer from insomnia",
      ],
      demo: [
        "doze until the afternoon",
        "lie in bed without rest",
        "sleep until the afternoon",
      ],
      pretraining: ["wake up every hour", "sleep far too much", "sleep very little", "count sheep until dawn"],
    },
    figurative: {
      shared: [
        "the night bus takes an hour and four stops",
        "the alarm at noon is only a test",
        "the town falls asleep at nine and the clock stops",
        "my computer was awake all night for an update",
        "the new bed has pills in the sheets",
        "a sleep mode saves power for hours",
      ],
      demo: ["we will sleep on the offer until the afternoon"],
      pretraining: ["my foot fell asleep in the cinema", "the broken clock showed dawn every hour"],
    },
  },
  {
    id: "A.5",
    symptom: "PSYCHOMOTOR",
    text: "Is restless or slowed down so that others notice.",
    expressions: {
      shared: [
        "shuffle along like a snail",
        "pace up and down",
        "fidget in every meeting",
        "move as if through mud",
        "speak so slowly that others notice",
        "walk in slow motion",
        "jump up from every chair",
        "sit frozen on the chair",
        "tap {my} feet without stopping",
        "get so restless that others stare",
      ],
      demo: ["drum on the table", "pull at {my} sleeves", "speak in slow motion"],
      pretraining: [
        "wander through the flat without stopping",
        "have restless legs",
        "react with long delays",
        "rock back and forth",
      ],
    },
    figurative: {
      shared: [
        "a snail walked along the chair",
        "we tap the barrel and speak a toast",
        "the slow motion replay shows the jump",
        "frozen peas and mud pies are on the table",
        "the clock hands move slowly in this chair shop",
        "others notice the pace of the restless city",
      ],
      demo: ["the drum player has long sleeves"],
      pretraining: ["rock music plays back to back", "the train has long delays"],
    },
  },
  {
    id: "A.6",
    symptom: "FATIGUE",
    text: "Is tired and without energy nearly every day.",
    expressions: {
      shared: [
        "get exhausted from one call",
        "lack energy",
        "feel drained",
        "need a break after a shower",
        "feel worn out",
        "have arms like lead",
        "feel too weak for the stairs",
        "feel tired after breakfast",
        "lack the strength to cook",
        "run on an empty battery",
      ],
      demo: [
        "crawl home without strength",
        "feel worn out and spent",
        "sit down after every step",
      ],
      pretraining: [
        "tire after the smallest chore",
        "feel exhausted all the time",
        "lack any power",
        "get weary from walking",
      ],
    },
    figurative: {
      shared: [
        "the call was about weak tea",
        "the old energy plan lacks strength",
        "the phone has no energy and the battery is empty",
        "that joke is tired and worn out",
        "the lead pipes drained into the shower",
        "the sofa collapsed during breakfast",
      ],
      demo: ["the money is spent and the budget exhausted"],
      pretraining: ["wind power is an energy without smoke", "the stairs are tired but pretty"],
    },
  },
  {
    id: "A.7",
    symptom: "WORTHLESSNESS",
    text: "Feels worthless or guilty without good reason.",
    expressions: {
      shared: [
        "call {myself} a failure",
        "feel worthless",
        "blame {myself} for everything",
        "feel like a burden",
        "see a failure in the mirror",
        "think of {myself} as useless",
        "feel ashamed of {myself}",
        "deserve only the worst",
        "feel like a waste of space",
        "believe that everyone deserves better",
      ],
      demo: ["feel inferior to everyone", "regret every word", "feel guilty and ashamed"],
      pretraining: [
        "despise {myself}",
        "feel guilty for no reason",
        "think that {my} work is worthless",
        "apologise for everything",
      ],
    },
    figurative: {
      shared: [
        "no regrets about the better mirror",
        "the cheap copy is inferior",
        "chocolate is a guilty pleasure",
        "the old coins are worthless and the mirror is useless",
        "the power failure was the fault of the storm",
        "the jury found the thief guilty",
      ],
      demo: ["the tax burden is a waste of money"],
      pretraining: ["a small fault in the space ship", "the court takes the blame seriously"],
    },
  },
  {
    id: "A.8",
    symptom: "COGNITIVE_ISSUES",
    text: "Has trouble thinking, concentrating or deciding.",
    expressions: {
      shared: [
        "find simple sums confusing",
        "read the same page five times",
        "lose the thread",
        "stare at emails without understanding",
        "mix up dates",
        "need an hour to choose a shirt",
        "have trouble concentrating",
        "lose focus within minutes",
        "struggle with every decision",
        "make careless mistakes",
      ],
      demo: [
        "lose the thread in meetings",
        "have a mind like cotton wool",
        "hesitate over the smallest choice",
      ],
      pretraining: ["put off deciding", "have trouble thinking", "forget what was said", "lose track of every story"],
    },
    figurative: {
      shared: [
        "the blank page needs sums",
        "a conversation about emails made the news",
        "the foggy page shows dates and a thread of wool",
        "the camera has lost focus again",
        "the judges struggle over a five page decision",
        "the shirt has a mistake in the thread",
      ],
      demo: ["cotton wool fills the simple mind of the doll"],
      pretraining: ["the track of the story is on disc", "there is trouble in the head office"],
    },
  },
  {
    id: "A.9",
    symptom: "SUICIDAL_THOUGHTS",
    text: "Thinks often about death or wishes not to live.",
    expressions: {
      shared: [
        "dream of being gone",
        "think about death",
        "wish to fall asleep forever",
        "wonder who would miss {me}",
        "question every reason to live",
        "want to disappear for good",
        "wish that life were over",
        "imagine a world without {me}",
        "find life hardly worth living",
        "long for the end",
      ],
      demo: [
        "picture {my} own funeral",
        "feel that death would be a relief",
        "lose the will to go on",
      ],
      pretraining: ["have thoughts about death", "want to stop living", "feel better off dead", "want life to end"],
    },
    figurative: {
      shared: [
        "the funeral scene in the dream play is funny",
        "my plants wish to live in the sun",
        "i am dying to see that film",
        "the end of the world is my favourite song about death",
        "we nearly died laughing",
        "the live show will disappear from here tomorrow",
      ],
      demo: ["the farewell letter of my boss was a relief"],
      pretraining: ["the phone is dead again", "the dead end road is worth a picture"],
    },
  },
];
