/** Trains on pairs in memory, and uses the model: train_on_arrays.ts [MODEL] */
import { train } from "../../mod.ts";

const criterion = "Sleeps too little or far too much.";
const yes = ["I lie awake until four.", "I sleep twelve hours a day.", "I wake up at three.", "No sleep again."];
const no = ["We walked by the sea.", "My brother lies awake.", "Work was fine.", "I made soup for my friends."];
const pairs = [...yes, ...no].map((post) => ({ post, criterion, label: yes.includes(post) }));

const { model, metrics } = await train(pairs, {
  model: Deno.args[0] ?? "microsoft/deberta-v3-base", // a folder, or an id of the hub
  training: { numEpochs: 3, learningRate: 1e-4 },
  validation: 0.25, // of the posts
});
console.log(`F1 ${metrics.f1.toFixed(2)} on ${metrics.count} pairs`);
const [{ probability }] = await model.predict([["I lie awake until five.", criterion]]);
console.log(`probability ${probability.toFixed(3)}`);
await model.savePretrained("my-model");
model.close();
