/** The documents beside README.md: what they name is there, and what they tell to type is taken. */
import assert from "node:assert/strict";
import { composeConfig } from "../src/config/config.ts";
import { keyOf } from "../src/config/validation.ts";

const ROOT = new URL("../", import.meta.url);
const NAMES = ["CHANGELOG.md", "CONTRIBUTING.md", "GUIDE.md"];
const textOf = (name: string): string => Deno.readTextFileSync(new URL(name, ROOT));

Deno.test("documents: links lead to files of the project", () => {
  for (const name of NAMES) {
    const links = [...textOf(name).matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path);
    assert.ok(links.length > 0, name);
    for (const path of links) assert.ok(Deno.statSync(new URL(path, ROOT)), `${name}: ${path}`);
  }
});

Deno.test("documents: every key that is named is a key, every override composes", () => {
  for (const name of NAMES) {
    const code = [...textOf(name).matchAll(/`([^`\n]+)`/g)].map(([, text]) => text);
    const keys = code.map((text) => text.split("=")[0]).filter((text) =>
      /^(data|model|training|gpu|hpo|evaluation|mlflow|augmentation)\.[a-zA-Z_.]+$/.test(text) &&
      !/\.(ts|wgsl|py)$/.test(text)
    );
    assert.ok(name === "CHANGELOG.md" || keys.length > 0, name);
    for (const key of keys) assert.equal(keyOf(key), key, `${name}: ${key}`);
    for (const [, text] of textOf(name).matchAll(/`((?:data|model|training|gpu|evaluation)\.[\w.]+=[\w.]+)`/g)) {
      assert.ok(composeConfig([text]), `${name}: ${text}`);
    }
  }
});

Deno.test("documents: the changelog begins with the version of deno.json", () => {
  const { version } = JSON.parse(textOf("deno.json"));
  assert.equal(/^## (\S+)$/m.exec(textOf("CHANGELOG.md"))?.[1], version);
  assert.match(textOf("LICENSE"), /^MIT License$/m);
});

Deno.test("documents: CONTRIBUTING.md names every room", () => {
  const text = textOf("CONTRIBUTING.md");
  for (const { name } of Deno.readDirSync(new URL("src/", ROOT))) assert.ok(text.includes(`\`${name}\``), name);
});
