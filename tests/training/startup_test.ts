import assert from "node:assert/strict";
import { silentReporter } from "../../src/training/reporter.ts";
import { createStartup } from "../../src/training/startup.ts";

Deno.test("createStartup: says once, before the first steps, what the time until then was for", () => {
  const told: string[] = [];
  let now = 400;
  const reporter = {
    ...silentReporter,
    info: (line: string) => void told.push(line),
    training: () => void told.push("step"),
  };
  const startup = createStartup(reporter, () => now);
  for (const [stage, milliseconds] of [["program", 0], ["device", 300], ["data", 1000]] as const) {
    now += milliseconds;
    startup.ended(stage);
  }
  const state = {
    fold: 0,
    foldsLeft: 0,
    epoch: 1,
    epochs: 1,
    step: 1,
    steps: 2,
    loss: 1,
    skipped: 0,
    bestF1: null,
    samplesPerSecond: 1,
  };
  for (let i = 0; i < 2; i++) {
    now += 500;
    startup.reporter.training(state);
    startup.ended("later");
  }
  assert.deepEqual(told, [
    "first step after 2.2 s: program 0.4, device 0.3, data 1.0, weights and step 0.5",
    "step",
    "step",
  ]);
});
