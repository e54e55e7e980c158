import assert from "node:assert/strict";
import { circles } from "../../src/check/circles.ts";
import { type Imports, projectImports } from "../../src/check/imports.ts";
import { roomProblems, ROOMS } from "../../src/check/rooms.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const importsOf = (edges: Record<string, string[]>): Imports => new Map(Object.entries(edges));

Deno.test("roomProblems: names an import that the table does not list, whatever its direction", () => {
  const imports = importsOf({
    "mod.ts": ["src/cli/main.ts", "src/nn/a.ts"],
    "src/cli/main.ts": ["src/errors.ts", "src/nn/a.ts"],
    "src/errors.ts": [],
    "src/nn/a.ts": ["src/nn/b.ts", "src/errors.ts", "src/training/run.ts", "tests/nn/a_test.ts", "scripts/x.ts"],
    "src/nn/b.ts": [],
    "src/training/run.ts": ["mod.ts"],
  });
  const problems = roomProblems(imports).filter((line) => !line.startsWith("a circle"));
  assert.deepEqual(problems, [
    "mod.ts imports src/cli/main.ts: mod.ts may not import cli (src/check/rooms.ts)",
    "src/nn/a.ts imports src/training/run.ts: nn may not import training (src/check/rooms.ts)",
    "src/nn/a.ts imports tests/nn/a_test.ts: nn may not import tests (src/check/rooms.ts)",
    "src/nn/a.ts imports scripts/x.ts: nn may not import scripts (src/check/rooms.ts)",
    "src/training/run.ts imports mod.ts: training may not import mod.ts (src/check/rooms.ts)",
  ]);
});

Deno.test("roomProblems: a room that the table does not know is named", () => {
  assert.deepEqual(roomProblems(importsOf({ "src/attic/a.ts": ["src/errors.ts"], "src/errors.ts": [] })), [
    "src/attic/a.ts: src/check/rooms.ts has no room attic",
  ]);
});

Deno.test("ROOMS: nobody may import who may import them, even through others", () => {
  const rooms = importsOf(Object.fromEntries(Object.entries(ROOMS).map(([room, others]) => [room, [...others]])));
  assert.deepEqual(circles(rooms), []);
  for (const room of Object.values(ROOMS).flat()) assert.ok(room in ROOMS, room);
});

Deno.test("circles: one for each group of files that import each other, and none for a diamond", () => {
  assert.deepEqual(circles(importsOf({ a: ["b", "c"], b: ["d"], c: ["d"], d: [] })), []);
  assert.deepEqual(circles(importsOf({ a: ["b"], b: ["c", "d"], c: ["b"], d: ["e"], e: ["f"], f: ["d"] })), [
    ["b", "c"],
    ["d", "e", "f"],
  ]);
  // A long way round and a short one, in one group.
  assert.deepEqual(circles(importsOf({ a: ["b"], b: ["c", "a"], c: ["a"] })), [["a", "b"]]);
  assert.deepEqual(circles(importsOf({ a: ["a"] })), [["a"]]);
});

Deno.test("projectImports: values, types, dynamic imports and re-exports of mod.ts and all of src", async () => {
  await inTemporaryFolder(async (folder) => {
    const files = {
      "deno.json": `{ "imports": { "@leaf": "./src/leaf.ts" } }`,
      "mod.ts": `export { a } from "./src/room/a.ts";`,
      "src/leaf.ts": `export const leaf = 1; export interface Leaf { x: 1 }`,
      "src/room/a.ts": `import type { B } from "./b.ts"; export const a: B = { x: 1 };`,
      "src/room/b.ts": `import { type Leaf } from "@leaf"; export type B = Leaf; await import("../../other/c.ts");`,
      "src/alone.ts": `import data from "../data.json" with { type: "json" }; console.log(data);`,
      "data.json": "1",
      "other/c.ts": `export {};`,
    };
    for (const [path, text] of Object.entries(files)) {
      Deno.mkdirSync(new URL(`file://${folder}/${path}`.replace(/[^/]+$/, "")), { recursive: true });
      Deno.writeTextFileSync(`${folder}/${path}`, text);
    }
    const imports = await projectImports(new URL(`file://${folder}/`));
    assert.deepEqual(Object.fromEntries([...imports].sort()), {
      "mod.ts": ["src/room/a.ts"],
      "other/c.ts": [],
      "src/alone.ts": [],
      "src/leaf.ts": [],
      "src/room/a.ts": ["src/room/b.ts"],
      "src/room/b.ts": ["src/leaf.ts", "other/c.ts"],
    });
  });
});

Deno.test("roomProblems: none in this project", async () => {
  assert.deepEqual(roomProblems(await projectImports(new URL("../../", import.meta.url))), []);
});
