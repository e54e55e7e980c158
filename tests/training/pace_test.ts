import assert from "node:assert/strict";
import { createPace, nextStride } from "../../src/training/pace.ts";

Deno.test("nextStride: grows at most twofold, shrinks at once, never stands still", () => {
  assert.equal(nextStride(1, 10), 2);
  assert.equal(nextStride(8, 400), 8);
  assert.equal(nextStride(8, 1600), 2);
  assert.equal(nextStride(1, 60_000), 1);
  assert.equal(nextStride(0, 11), 1);
  assert.equal(nextStride(4, 0), 8);
});

/** A queue whose work takes no time; each look is answered after `answerMs`. */
function queueOf(answerMs: number, most?: number) {
  const events: string[] = [];
  let pieces = 0;
  const pace = createPace({
    async read() {
      const seen = pieces;
      pieces = 0;
      events.push(`read ${seen}`);
      await new Promise((resolve) => setTimeout(resolve, answerMs));
      return seen;
    },
    seen: (count) => void events.push(`seen ${count}`),
    most,
  });
  return {
    events,
    pace,
    async work(): Promise<boolean> {
      pieces++;
      events.push("work");
      return await pace.queued();
    },
  };
}

Deno.test("createPace: the next piece of work is queued before a look is awaited", async () => {
  const { events, pace, work } = queueOf(5);
  assert.equal(await work(), true); // how long a piece takes is not known yet
  for (let i = 0; i < 3; i++) await work();
  await pace.drain();
  assert.deepEqual(
    events.join(", "),
    "work, read 1, seen 1, work, work, read 2, work, seen 2, read 1, seen 1",
  );
});

Deno.test("createPace: a slow piece is looked at as soon as it is done", async () => {
  const { events, work } = queueOf(850);
  for (let i = 0; i < 2; i++) assert.equal(await work(), true);
  assert.deepEqual(events.join(", "), "work, read 1, seen 1, work, read 1, seen 1");
});

Deno.test("createPace: never more than `most` pieces without a look", async () => {
  const { events, pace, work } = queueOf(0, 2);
  for (let i = 0; i < 20; i++) await work();
  await pace.drain();
  assert.ok(events.every((event) => !/read [3-9]|read \d\d/.test(event)), events.join(", "));
});

Deno.test("createPace: what a look throws is thrown by the next call, and nowhere else", async () => {
  let looks = 0;
  const pace = createPace({
    read: async () => void await new Promise((resolve) => setTimeout(resolve, 5)),
    seen() {
      if (++looks === 2) throw new Error("seen");
    },
  });
  assert.equal(await pace.queued(), true);
  assert.equal(await pace.queued(), false);
  assert.equal(await pace.queued(), false); // looks
  await new Promise((resolve) => setTimeout(resolve, 20)); // the error is there before anybody waits for it
  await assert.rejects(pace.queued(), /seen/);
});
