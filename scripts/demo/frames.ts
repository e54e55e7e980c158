/**
 * Sentence frames: who feels it, when, and whether at all.
 *
 * Slots take an inflected expression: `{base}` (I lie), `{third}` (she lies), `{past}` (I lay), `{gerund}` (lying).
 * `person` says whose pronouns the expression takes. Only the frames in `PRESENT` are evidence; all others mention
 * the same words and are not, so that a reader must look at the whole sentence.
 */
import type { Inventory } from "./expressions.ts";

/** Whose pronouns an expression takes. */
export type Person = "first" | "she" | "he" | "they";

/** Why a sentence that names a symptom is no evidence. */
export type Distraction = "negation" | "other" | "past" | "figurative";

/** The writer's own, current state: evidence. */
export const PRESENT: Inventory = {
  shared: [
    "it used to be different but now i {base}",
    "again and again i {base}",
    "for weeks i {base}",
    "these days i {base}",
    "most days i {base}",
    "i keep {gerund}",
    "lately i {base} and nothing helps",
    "i told my doctor that i {base}",
    "i do not know why i {base}",
    "my sister is worried because i {base}",
    "last year was fine but now i {base}",
    "i never asked for help although i {base}",
    "since the winter i {base}",
    "i {base}",
  ],
  demo: [
    "my parents do not see that i {base}",
    "i must admit that i {base}",
  ],
  pretraining: [
    "my brother says that i {base}",
    "two years ago i was happy and now i {base}",
    "it is a fact that i {base}",
    "it is not easy to admit that i {base}",
  ],
};

/** The writer says that it is not so. */
export const NEGATION: Inventory = {
  shared: [
    "my mother thinks that i {base} but she is wrong",
    "i do not {base}",
    "i never {base}",
    "it is not true that i {base}",
    "at least i do not {base}",
    "nobody could say that i {base}",
    "i am certainly not {gerund}",
    "my doctor asked if i {base} and i do not",
  ],
  demo: ["luckily i neither complain nor {base}"],
  pretraining: ["people assume that i {base} and they are wrong", "i would not say that i {base}"],
};

/** Somebody else's symptom. */
export const OTHER: { person: Person; frames: Inventory }[] = [
  {
    person: "she",
    frames: {
      shared: [
        "my sister {third}",
        "these days my mother seems to {base}",
        "most days i see my wife {base}",
        "for weeks my aunt keeps {gerund}",
      ],
      demo: ["i do not know why my niece should {base}"],
      pretraining: ["the woman next door seems to {base}"],
    },
  },
  {
    person: "he",
    frames: {
      shared: [
        "my brother does {base}",
        "lately my father seems to {base} and nothing helps",
        "i worry because my husband {third}",
        "my doctor told me that patients like him {base}",
      ],
      demo: ["in the novel the hero must {base}"],
      pretraining: ["my boss will often {base}"],
    },
  },
  {
    person: "they",
    frames: {
      shared: [
        "since the winter my parents {base}",
        "most of my friends {base}",
        "the students i teach keep {gerund}",
        "i read about people who {base}",
      ],
      demo: ["in that film they all {base}"],
      pretraining: ["some of the neighbours {base}"],
    },
  },
  {
    person: "first",
    frames: {
      shared: ["i felt sorry when my sister said: i {base}", "a friend wrote to me: for weeks i {base}"],
      demo: ["the singer shouts in that song: i {base}"],
      pretraining: ["my cousin once said: these days i {base}"],
    },
  },
];

/** It was so once, and is over. */
export const PAST: Inventory = {
  shared: [
    "i {base} no more since the spring",
    "two years ago i would {base} but that is over",
    "i used to {base} and that has passed",
    "last year i {past} and now i am fine",
    "as a student i would {base}",
    "i no longer {base}",
    "i have stopped {gerund}",
    "before the therapy i used to {base}",
  ],
  demo: ["when i was young i would {base}"],
  pretraining: ["long ago i did {base}", "until last summer i would {base} but it got better"],
};

/** Half of a sentence about somebody else; the writer's own half follows. */
export const CONTRAST: Inventory = {
  shared: [
    "i no longer {base} but now i {own}",
    "my sister seems to {base} while i {own}",
    "my brother {third} and i {own}",
    "i do not {base} but i {own}",
  ],
  demo: ["my parents {base} and i {own}"],
  pretraining: ["two years ago i would {base} and now i {own}"],
};

/** Everyday sentences that name no symptom. */
export const NEUTRAL: Inventory = {
  shared: [
    "i changed jobs in the spring",
    "is there anyone with advice",
    "the library closes at six",
    "i study chemistry in my second year",
    "we moved to a new town in march",
    "my job is in an office near the station",
    "the weather was warm on sunday",
    "i bought a bicycle for my son",
    "thank you for reading this",
    "i am new to this forum",
    "our dog likes the park",
    "the bus was late this morning",
    "my daughter started school",
    "i have an appointment on monday",
    "work has been busy as always",
    "i would like to hear from you",
    "we painted the kitchen blue",
    "my friends came over on friday",
    "i am thirty years old",
    "the neighbours are friendly",
  ],
  demo: [
    "we have two cats and a rabbit",
    "my wife works at the hospital",
  ],
  pretraining: [
    "the train to the coast was full",
    "i live alone in a small flat",
    "my cousin married in june",
    "we watched the match together",
    "does anyone have an idea",
    "the doctor is on holiday",
  ],
};
