import assert from "node:assert/strict";
import { evidenceSpans, findSentence, notVerbatimText } from "../../src/dataset/evidence_spans.ts";

Deno.test("evidenceSpans: in order, joined where they meet, white space as it comes", () => {
  const post = "I am sad.\nI sleep  badly, and (so) badly. The end.";
  const text = (sentences: string[]) =>
    evidenceSpans(post, sentences).spans.map(({ start, end }) => post.slice(start, end));
  assert.deepEqual(text(["The end.", "I am sad."]), ["I am sad.", "The end."]);
  assert.deepEqual(text(["I sleep badly, and"]), ["I sleep  badly, and"]);
  assert.deepEqual(text(["sad.\nI sleep", "I am sad. I"]), ["I am sad.\nI sleep"]);
  assert.deepEqual(text(["(so) badly.", "(so) badly."]), ["(so) badly."]);
  assert.deepEqual(text([" The end. ", "not there", "", "  "]), ["The end."]);
});

Deno.test("findSentence: a sentence in nearly the same words is found as a whole, a word for word one first", () => {
  const post = "I barely slept. I don’t want to get up,\never. My sister wakes up with a heavy heart. It rains.";
  const found = (sentence: string) => {
    const place = findSentence(post, sentence);
    return place && [place.how, post.slice(place.span.start, place.span.end)];
  };
  const upEver = "I don’t want to get up,\never.";
  assert.deepEqual(found("want to get"), ["verbatim", "want to get"]);
  assert.deepEqual(found("I don't want to get up ever"), ["aligned", upEver]);
  assert.deepEqual(found("I DON'T WANT TO GET UP, EVER!"), ["aligned", upEver]);
  assert.deepEqual(found("I don't really want to get up, ever"), ["aligned", upEver]);
  assert.deepEqual(found("I barely slept. I don't want to get up ever."), ["aligned", `I barely slept. ${upEver}`]);
  const others = [
    "I want to get up, ever.", // no "don't"
    "You don't want to get up, ever.",
    "I don't want to sit up, ever.", // another verb
    "I wake up with a heavy heart.",
    "It snows.",
    "I barely ate.",
  ];
  for (const other of others) assert.equal(found(other), null, other);
  // Twice in the post: nobody knows which.
  assert.equal(findSentence(`${post} Then: ${upEver}`, "I don't want to get up ever"), null);
});

Deno.test("evidenceSpans: tells how the sentences were found", () => {
  const { counts } = evidenceSpans("I am so very tired. It rains.", ["It rains.", "i am so very tired", "I am fine."]);
  assert.deepEqual(counts, { verbatim: 1, aligned: 1, missing: 1 });
  assert.match(notVerbatimText(counts)!, /^2 of 3 evidence sentences \(66\.7 %\)/);
  assert.equal(notVerbatimText({ verbatim: 3, aligned: 0, missing: 0 }), null);
});
