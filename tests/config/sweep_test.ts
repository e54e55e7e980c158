import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "../../src/packages/yaml.ts";
import { composeConfig, composeTree, showConfig } from "../../src/config/config.ts";
import { parseOverride } from "../../src/config/override_grammar.ts";
import { combinationsOf } from "../../src/config/sweep.ts";
import { EntailError } from "../../src/errors.ts";

interface Sweep {
  overrides: string[];
  refused?: boolean;
  jobs?: unknown[][];
}

interface Shown {
  overrides: string[];
  package: string;
  resolve: boolean;
  header: string | null;
  value: unknown;
}

const FIXTURES = new URL("../fixtures/config/", import.meta.url);
const { sweeps, shown }: { sweeps: Sweep[]; shown: Shown[] } = JSON.parse(
  readFileSync(new URL("hydra.json", FIXTURES), "utf8"),
);
const OPTIONS = { configDir: fileURLToPath(new URL("conf", FIXTURES)) };

function expanded(overrides: string[]): Sweep {
  try {
    const jobs = combinationsOf(overrides, OPTIONS).map((job) =>
      job.overrides.map((text) => parseOverride(text).value)
    );
    return { overrides, jobs };
  } catch (error) {
    assert.ok(error instanceof EntailError && error.kind === "usage", `${overrides}: ${error}`);
    return { overrides, refused: true };
  }
}

function refusal(...overrides: string[]): string {
  try {
    return `accepted: ${combinationsOf(overrides, OPTIONS).length}`;
  } catch (error) {
    return (error as Error).message;
  }
}

Deno.test("combinationsOf: the jobs of Hydra's sweeps, in its order", () => {
  assert.ok(sweeps.length > 25);
  assert.deepEqual(sweeps.map(({ overrides }) => expanded(overrides)), sweeps);
});

Deno.test("combinationsOf: what is swept is named, steps are exact, mistakes are explained", () => {
  const swept = combinationsOf(["seed=7", "a=1e-4, 3e-4", "+b=range(0.1,0.45,0.1)"], OPTIONS).map(({ swept }) => swept);
  assert.deepEqual(swept.slice(0, 2), [{ a: "1e-4", b: "0.1" }, { a: "1e-4", b: "0.2" }]);
  assert.deepEqual(swept.slice(4).map(({ b }) => b), ["0.1", "0.2", "0.3", "0.4"]);
  assert.match(refusal("a=glob(x*)"), /glob is for groups/);
  assert.match(refusal("db=glob(x*)"), /no option matches \(there are: base, mysql/);
  assert.match(refusal("a=range(1,1)"), /range has 0 values/);
  assert.match(refusal("a=range(1,5,0)"), /a step that is not 0/);
  assert.match(refusal("a=range(100000)"), /100000 values; a sweep has 1 to 10000/);
  assert.match(refusal("a=range(1000)", "b=range(1000)"), /1000000 combinations/);
  assert.match(refusal("~a=1,2"), /cannot be swept/);
  assert.match(refusal("a=interval(0,1)"), /"interval\(…\)" looks like a function of a sweep/);
});

Deno.test("showConfig: parts of the configuration as Hydra's --cfg job shows them", () => {
  for (const { overrides, package: place, resolve, header, value } of shown) {
    const written = resolve ? undefined : composeTree(overrides);
    const text = showConfig(composeConfig(overrides), { written, package: place });
    assert.equal(text.startsWith("#") ? text.split("\n")[0] : null, header, place);
    assert.deepEqual(parse(text), value, place);
  }
});

Deno.test("showConfig: interpolations as they are written, without passwords", () => {
  const overrides = ["hpo.storage='postgresql://me:s3cret@${oc.env:HOME}/db'", "experiment_name='\\${literal}'"];
  const text = showConfig(composeConfig(overrides), { written: composeTree(overrides) });
  assert.match(text, /^output_dir: outputs\/\$\{experiment_name\}$/m);
  assert.match(text, /^experiment_name: \\\$\{literal\}$/m);
  assert.match(text, /storage: postgresql:\/\/me:\*\*\*@\$\{oc\.env:HOME\}\/db$/m);
  assert.doesNotMatch(text, /s3cret/);
});
