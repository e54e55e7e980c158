import assert from "node:assert/strict";
import { fillFrame, gerund, pastTense, thirdPerson } from "../../scripts/demo/grammar.ts";

Deno.test("thirdPerson, pastTense, gerund: regular and irregular verbs", () => {
  const forms = (verb: string) => [thirdPerson(verb), pastTense(verb), gerund(verb)];
  assert.deepEqual(forms("walk"), ["walks", "walked", "walking"]);
  assert.deepEqual(forms("cry"), ["cries", "cried", "crying"]);
  assert.deepEqual(forms("lie"), ["lies", "lay", "lying"]);
  assert.deepEqual(forms("have"), ["has", "had", "having"]);
  assert.deepEqual(forms("toss"), ["tosses", "tossed", "tossing"]);
  assert.deepEqual(forms("see"), ["sees", "saw", "seeing"]);
  assert.deepEqual(forms("drag"), ["drags", "dragged", "dragging"]);
  assert.deepEqual(forms("stay"), ["stays", "stayed", "staying"]);
});

Deno.test("fillFrame: pronouns follow the person", () => {
  assert.equal(
    fillFrame("my sister {third}", "blame {myself} for {my} work", "she"),
    "my sister blames herself for her work",
  );
  assert.equal(
    fillFrame("i have stopped {gerund} again", "pull at {my} sleeves", "first"),
    "i have stopped pulling at my sleeves again",
  );
  assert.equal(fillFrame("they {base}", "imagine a world without {me}", "they"), "they imagine a world without them");
});
