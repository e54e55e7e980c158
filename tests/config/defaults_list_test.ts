import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EntailError } from "../../src/errors.ts";
import { composeDefaults } from "../../src/config/defaults_list.ts";
import { parseOverride } from "../../src/config/override_grammar.ts";
import type { Tree } from "../../src/config/tree.ts";

interface Case {
  overrides: string[];
  refused?: boolean;
  config?: Tree;
}

const FIXTURES = new URL("../fixtures/config/", import.meta.url);
const CASES: Case[] = JSON.parse(readFileSync(new URL("hydra.json", FIXTURES), "utf8")).compositions;

function compose(folder: string, overrides: string[]): Tree {
  return composeDefaults({ folders: [{ path: folder, name: "conf" }] }, overrides.map(parseOverride));
}

function composed(overrides: string[]): Case {
  try {
    return { overrides, config: compose(fileURLToPath(new URL("conf", FIXTURES)), overrides) };
  } catch (error) {
    assert.ok(error instanceof EntailError && error.kind === "usage", `${overrides}: ${error}`);
    return { overrides, refused: true };
  }
}

/** What composing these files says when it fails. */
function refusal(files: Record<string, string>, overrides: string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), "entail-config-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return `accepted: ${JSON.stringify(compose(folder, overrides))}`;
  } catch (error) {
    return (error as Error).message;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

Deno.test("composeDefaults: composes, overrides, appends and removes groups as Hydra does", () => {
  assert.ok(CASES.length > 15);
  assert.deepEqual(CASES.map(({ overrides }) => composed(overrides)), CASES);
});

Deno.test("composeDefaults: errors name the file or the override and what there is", () => {
  const files = { "config.yaml": "defaults: [{db: mysql}]", "db/mysql.yaml": "x: 1", "db/sqlite.yaml": "x: 2" };
  assert.equal(
    refusal(files, ["db=mysq"]),
    'unknown option "mysq" of group "db"; did you mean "mysql"? (there are: mysql, sqlite)',
  );
  assert.match(refusal(files, ["db=null"]), /"db=null": the option of a group is a name \(there are: mysql, sqlite\)/);
  assert.match(refusal(files, ["db=[mysql,sqlite]"]), /the option of a group is a name/);
  assert.match(refusal(files, ["~db=sqlite"]), /override "~db=sqlite": no such entry in the defaults list/);
  assert.match(refusal({ ...files, "exp/a.yaml": "" }, ["exp=a"]), /group "exp" is not in the .*; add it with \+exp=a/);
  assert.match(refusal({ "config.yaml": "defaults: [{db: 1}]" }), /^conf\/config.yaml: defaults: .*\{"db":1\}/);
  assert.match(refusal({ "config.yaml": "defaults: 5" }), /^conf\/config.yaml: "defaults" must be a list/);
  assert.match(refusal({ "config.yaml": "defaults: [other]" }), /there is no configuration file "other"/);
  assert.match(
    refusal({ "config.yaml": "defaults: [config]" }),
    /conf\/config.yaml: defaults: the file includes itself/,
  );
  assert.match(refusal({}), /no configuration file config.yaml/);
  assert.match(
    refusal({ "config.yaml": "defaults: [{db: '${nothing}'}]" }),
    /no option is chosen for the group "nothing"/,
  );
});

Deno.test("composeDefaults: an override of an entry that comes later is an error", () => {
  const files = {
    "config.yaml": "defaults: [{data: a}, {model: x}]",
    "data/a.yaml": "# @package _global_\ndefaults: [{override /model: y}]",
    "model/x.yaml": "",
    "model/y.yaml": "",
  };
  assert.match(refusal(files), /conf\/data\/a.yaml: .*"override \/model" must come after the entry "model"/);
});

Deno.test("composeDefaults: YAML errors name file, line and column", () => {
  assert.match(refusal({ "config.yaml": "a: 1\nb: [1, 2\nc: 3\n" }), /^conf\/config.yaml:3:1: /);
  assert.match(refusal({ "config.yaml": "a: 1\na: 2\n" }), /^conf\/config.yaml:2:1: Map keys must be unique/);
  assert.match(refusal({ "config.yaml": "- a\n- b\n" }), /^conf\/config.yaml:1:1: a configuration file is a mapping/);
  assert.match(refusal({ "config.yaml": "a:\n\tb: 1\n" }), /^conf\/config.yaml:2:\d+: /);
});

Deno.test("composeDefaults: __proto__ is not a key", () => {
  assert.match(refusal({ "config.yaml": "__proto__: {x: 1}\n" }), /"__proto__" cannot be a configuration key/);
});

Deno.test("composeDefaults: lists that double at each file end", () => {
  const files = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`d${i}.yaml`, i === 39 ? "a: 1\n" : `defaults: [d${i + 1}, d${i + 1}]\n`]),
  );
  assert.match(refusal({ "config.yaml": "defaults: [d0]\n", ...files }), /more than 1000 files in all$/);
});
