/** Ranks criteria by the evidence that a post gives for them: rank.ts MODEL */
import { CrossEncoder } from "../../mod.ts";

using model = await CrossEncoder.fromPretrained(Deno.args[0]); // a folder, or an id of the hub
const criteria = [
  "Feels sad, empty or hopeless on most days.",
  "Sleeps too little or far too much.",
  "Is tired and without energy nearly every day.",
];
const post = "I lie awake until three. My sister seems to lack energy.";
for (const { text, score } of await model.rank(post, criteria, { topK: 2, returnDocuments: true })) {
  console.log(score.toFixed(3), text);
}
