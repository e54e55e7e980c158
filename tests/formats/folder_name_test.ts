import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { folderName } from "../../src/formats/folder_name.ts";

Deno.test("folderName: ordinary names stay, others become one folder each, where it should be", () => {
  for (const name of ["entail", "deberta_base_no_aug", "my study 2.1", "größe-7"]) assert.equal(folderName(name), name);
  const odd = [
    "../../x",
    "..",
    ".",
    "a/b",
    "a\\b",
    "a_b/",
    "/etc",
    "x\0y",
    "-rf",
    "C:x",
    "a".repeat(300),
    "x ",
    "\ud800",
  ];
  const folders = odd.map(folderName);
  for (const folder of folders) {
    assert.equal(basename(join("outputs", folder)), folder);
    assert.match(folder, /^[^.\s/\\:\0-][^/\\:\0]*-[0-9a-f]{8}$/);
    assert.ok(folder.length <= 69);
  }
  assert.equal(new Set(folders).size, odd.length);
});
