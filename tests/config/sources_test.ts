import assert from "node:assert/strict";
import { join } from "node:path";
import { composeConfig, loadConfigFile, printConfig } from "../../src/config/config.ts";
import { parseYamlTree } from "../../src/config/sources.ts";
import { EntailError } from "../../src/errors.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

/** The one-line message of a usage error. */
function refusal(body: () => unknown): string {
  try {
    return `accepted: ${JSON.stringify(body())}`;
  } catch (error) {
    assert.ok(error instanceof EntailError && error.kind === "usage", `${error}`);
    assert.ok(!error.message.includes("\n") && error.message.length < 500, error.message);
    return error.message;
  }
}

const refused = (text: string) => refusal(() => parseYamlTree(text, "c.yaml"));

/** Ten lists, each of ten of the one before. */
const ALIAS_BOMB = "k0: &k0 [x]\n" +
  Array.from({ length: 9 }, (_, i) => `k${i + 1}: &k${i + 1} [${Array(10).fill(`*k${i}`)}]\n`).join("");

Deno.test("parseYamlTree: aliases that stand for too much, for themselves or for nothing are refused", () => {
  assert.match(refused(ALIAS_BOMB), /^c\.yaml: Excessive alias count/);
  assert.match(refused("seed: &a {b: *a}"), /^c\.yaml: nested deeper than 100, or an alias inside its own anchor$/);
  assert.match(refused("seed: &a [1, *a]"), /an alias inside its own anchor/);
  assert.match(refused("data: &d {<<: *d}"), /^c\.yaml: Excessive alias count/);
  assert.match(refused("data: *nothing"), /^c\.yaml: Unresolved alias/);
  assert.match(refused("data: {<<: 5}"), /^c\.yaml: Merge sources must be maps/);
  assert.deepEqual(parseYamlTree("a: &a {x: 1}\nb: {<<: *a, y: *a}", "c.yaml").b, { x: 1, y: { x: 1 } });
});

Deno.test("parseYamlTree: nesting and size have limits", () => {
  for (const [open, close] of [["[", "]"], ["{a: ", "}"], ["- ", ""]]) {
    for (const depth of [101, 20_000]) {
      assert.match(
        refused(`data:\n  ${open.repeat(depth)}1${close.repeat(depth)}`),
        /nested (too deep|deeper than 100)/,
      );
    }
  }
  assert.match(
    refused(Array.from({ length: 100_000 }, (_, i) => `k${i}: 1\n`).join("")),
    /^c\.yaml: larger than 256 KiB/,
  );
});

Deno.test("parseYamlTree: what is not plain YAML is refused with its place", () => {
  assert.match(refused("data: !!set {a, b}"), /^c\.yaml:1:7: Unresolved tag/);
  assert.match(refused("a: 1\nseed: !own 5"), /^c\.yaml:2:7: Unresolved tag: !own/);
  assert.match(refused("a: 1\n---\na: 2"), /^c\.yaml:2:1: a second document; a configuration file holds one$/);
  assert.match(refused("a: 1\na: 2"), /^c\.yaml:2:1: Map keys must be unique/);
  assert.match(refused("a:\n\tb: 1"), /^c\.yaml:2:1: Tabs are not allowed/);
  assert.deepEqual(parseYamlTree("---\r\na: 1\r\nb:\r\n  c: 2\r\n...\r\n", "c.yaml"), { a: 1, b: { c: 2 } });
});

Deno.test("--config-dir: files that cannot be read are named", async () => {
  await inTemporaryFolder(async (folder) => {
    const compose = (...overrides: string[]) => refusal(() => composeConfig(overrides, { configDir: folder }));
    await Deno.mkdir(join(folder, "model/mine.yaml"), { recursive: true });
    assert.match(compose("model=mine"), /model\/mine\.yaml: is a folder, not a file$/);
    await Deno.mkdir(join(folder, "config.yaml"));
    assert.match(compose(), /config\.yaml: is a folder, not a file$/);
    await Deno.remove(join(folder, "config.yaml"));
    await Deno.writeFile(join(folder, "config.yaml"), new Uint8Array([97, 58, 32, 0xe9]));
    assert.match(compose(), /config\.yaml:1:4: not UTF-8/);
    await Deno.writeTextFile(join(folder, "config.yaml"), "\ufeffdefaults: [training: default, model: deberta_nli]\n");
    assert.match(compose(), /^accepted/);
  });
});

Deno.test("--config-dir: no name leads out of the folders", async () => {
  await inTemporaryFolder(async (folder) => {
    const configDir = join(folder, "conf");
    await Deno.mkdir(configDir);
    await Deno.writeTextFile(join(folder, "secret.yaml"), "seed: 77\n");
    const compose = (...overrides: string[]) => refusal(() => composeConfig(overrides, { configDir }));
    assert.match(compose("model=../../secret"), /unknown option "\.\.\/\.\.\/secret" of group "model"/);
    await Deno.writeTextFile(join(configDir, "config.yaml"), "defaults: [../secret, _self_]\n");
    assert.match(compose(), /there is no configuration file "\.\.\/secret"/);
  });
});

Deno.test("composeConfig: hostile keys and values are one line", async () => {
  const compose = (...overrides: string[]) => refusal(() => composeConfig(overrides));
  assert.match(compose("+hpo.search_space.__proto__={type:int,low:0,high:1}"), /"__proto__" cannot be/);
  assert.match(compose(`${"a.".repeat(20_000)}b=1`), /^unknown key "a\.a\..{1,400}$/);
  assert.match(compose(`experiment_name=\${${"a.".repeat(50_000)}b}`), /^"experiment_name": .* not found.{1,400}$/);
  assert.match(compose(`seed=[${"1,".repeat(10_000)}1]`), /^"seed" must be an integer .{1,400}$/);
  assert.match(compose("seed=1e999"), /^"seed" must be .*, not inf$/);
  assert.doesNotMatch(printConfig(composeConfig(["seed=-0", "training.weight_decay=-0.0"])), /: -0/);
  await inTemporaryFolder(async (configDir) => {
    await Deno.mkdir(join(configDir, "model"));
    await Deno.writeTextFile(join(configDir, "model/x.yaml"), `# @package ${"a.".repeat(20_000)}b\nseed: 1\n`);
    assert.match(refusal(() => composeConfig(["model=x"], { configDir })), /a key has at most 100 names/);
  });
});

Deno.test("loadConfigFile: an interpolation that leads nowhere is the file's fault", async () => {
  await inTemporaryFolder(async (folder) => {
    const file = join(folder, "c.yaml");
    await Deno.writeTextFile(file, "experiment_name: ${nothing}\n");
    assert.throws(() => loadConfigFile(file), {
      kind: "data",
      message: /c\.yaml: "experiment_name": interpolation key "nothing" not found/,
    });
  });
});
