import assert from "node:assert/strict";
import { checkFolds, singleSplit, stratifiedGroupKFold, stratifiedKFold } from "../../src/dataset/folds.ts";
import { EntailError } from "../../src/errors.ts";
import fixtures from "../fixtures/dataset/folds.json" with { type: "json" };

const digits = (text: string): number[] => Array.from(text, (digit) => parseInt(digit, 36));

function fails(kind: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof EntailError && error.kind === kind && pattern.test(error.message);
}

Deno.test("stratifiedGroupKFold: scikit-learn's folds in every recorded case", () => {
  assert.ok(fixtures.grouped.length >= 100);
  fixtures.grouped.forEach(({ labels, groups, nSplits, seed, folds }, i) => {
    const found = stratifiedGroupKFold(digits(labels), groups.split(","), { nSplits, seed, shuffle: true });
    assert.deepEqual(found, digits(folds), `case ${i}`);
  });
});

Deno.test("stratifiedGroupKFold: keeps a post in one fold and depends on the seed", () => {
  const { labels, groups } = fixtures.grouped.at(-1)!;
  const split = (seed: number) =>
    stratifiedGroupKFold(digits(labels), groups.split(","), { nSplits: 5, seed, shuffle: true });
  const folds = split(42);
  const foldOfPost = new Map<string, number>();
  groups.split(",").forEach((post, i) => {
    assert.equal(foldOfPost.get(post) ?? folds[i], folds[i]);
    foldOfPost.set(post, folds[i]);
  });
  assert.notDeepEqual(split(43), folds);
});

Deno.test("stratifiedGroupKFold: orders groups beyond the BMP by code point", () => {
  // U+FF5E comes before U+1F600, but after its surrogates.
  const options = { nSplits: 2, seed: 3, shuffle: true } as const;
  const labels = [0, 1, 0, 1, 1, 0];
  const named = stratifiedGroupKFold(labels, ["a", "a", "\uFF5E", "\uFF5E", "\u{1F600}", "b"], options);
  assert.deepEqual(named, stratifiedGroupKFold(labels, ["1", "1", "3", "3", "4", "2"], options));
});

Deno.test("stratifiedKFold: scikit-learn's folds in every recorded case", () => {
  fixtures.plain.forEach(({ labels, nSplits, seed, folds }, i) => {
    assert.deepEqual(stratifiedKFold(digits(labels), { nSplits, seed, shuffle: true }), digits(folds), `case ${i}`);
  });
});

Deno.test("folds: impossible splits name kfold.n_splits", () => {
  const groups = ["a", "a", "b", "c"];
  const split = (nSplits: number) => () =>
    stratifiedGroupKFold([0, 0, 0, 1], groups, { nSplits, seed: 1, shuffle: true });
  for (const nSplits of [1, 0, -1, 2.5, NaN]) {
    assert.throws(split(nSplits), fails("usage", /^kfold\.n_splits: must be/));
  }
  assert.throws(
    () => stratifiedGroupKFold([0, 0, 0, 0], groups, { nSplits: 4, seed: 1, shuffle: true }),
    fails("usage", /^kfold\.n_splits: is 4, but there are only 3 posts/),
  );
  assert.throws(split(4), fails("usage", /^kfold\.n_splits: is 4, but no label has more than 3/));
  assert.throws(() => stratifiedKFold([0, 1], { nSplits: 2, seed: 1, shuffle: true }), fails("usage", /n_splits/));
  assert.throws(() => stratifiedKFold([], { nSplits: 2, seed: 1, shuffle: true }), fails("data", /no pairs/));
});

Deno.test("checkFolds: every fold needs positives, and must leave some", () => {
  checkFolds([0, 1, 0, 1], [1, 1, 0, 0], 2);
  assert.throws(
    () => checkFolds([0, 1, 2], [1, 1, 0], 3),
    fails("data", /^fold 2 of 3 has no positive pair \(2 in all\)/),
  );
  assert.throws(() => checkFolds([0, 0, 1], [1, 1, 0], 1 + 1), fails("data", /fold/));
});

Deno.test("singleSplit: the fold nearest to a fifth, the first of equals", () => {
  const folds = [0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4];
  // |4/16 − 0.2| = 0.05 and |2/16 − 0.2| = 0.075
  assert.equal(singleSplit(folds, 5), 2);
  assert.equal(singleSplit([0, 0, 0, 1, 2], 3), 1);
});

Deno.test("checkFolds: a class that is missing, in all pairs or in what a fold leaves to train on, is an error", () => {
  const check = (labels: number[]) => () => checkFolds([0, 0, 1, 1], labels, 2);
  check([1, 0, 1, 0])();
  assert.throws(check([1, 1, 1, 1]), { kind: "data", message: /all 4 pairs are positive/ });
  assert.throws(check([0, 0, 0, 0]), { kind: "data", message: /no positive pair/ });
  assert.throws(check([1, 1, 1, 0]), { kind: "data", message: /fold 1 of 2 has all 1 negative pairs/ });
  assert.throws(check([1, 1, 0, 0]), {
    kind: "data",
    message: /fold 0 of 2 has all 2 positive pairs|no positive pair/,
  });
});
