import assert from "node:assert/strict";
import { idText, parseModelId } from "../../src/hub/model_id.ts";

Deno.test("parseModelId: org/name, with a branch, a tag, a commit or a pull request", () => {
  const revisions: [string, string][] = [
    ["microsoft/deberta-v3-base", "main"],
    ["cross-encoder/ms-marco_MiniLM.L6@v1.0", "v1.0"],
    ["BAAI/bge-reranker-v2-m3@refs/pr/3", "refs/pr/3"],
    [`a/b@${"0".repeat(40)}`, "0".repeat(40)],
  ];
  for (const [text, revision] of revisions) {
    const id = parseModelId(text)!;
    assert.deepEqual(id, { repo: text.split("@")[0], revision });
    assert.equal(idText(id), text);
  }
});

Deno.test("parseModelId: paths, and names that would lead out of the cache, are no ids", () => {
  const paths = [
    "",
    "name",
    "/a/b",
    "./a/b",
    "../b",
    "a/..",
    "../..",
    "a/b/c",
    "a//b",
    "a/b/",
    "a b/c",
    "a\\b",
    "a--b/c",
  ];
  const revisions = ["a/b@", "a/b@..", "a/b@../x", "a/b@x/../../y", "a/b@/x", "a/b@x/", "a/b@x y"];
  for (const text of [...paths, ...revisions, "a/b..c", ".a/b", "a/b\n"]) assert.equal(parseModelId(text), null, text);
});
