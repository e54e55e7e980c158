import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { EntailError } from "../../src/errors.ts";
import { resolveInterpolations } from "../../src/config/interpolation.ts";
import type { Tree } from "../../src/config/tree.ts";

function refusal(tree: Tree): string {
  try {
    return `accepted: ${JSON.stringify(resolveInterpolations(tree))}`;
  } catch (error) {
    assert.ok(error instanceof EntailError && error.kind === "usage", `${error}`);
    return error.message;
  }
}

function withEnvironment<T>(name: string, value: string | undefined, body: () => T): T {
  const old = Deno.env.get(name);
  if (value === undefined) Deno.env.delete(name);
  else Deno.env.set(name, value);
  try {
    return body();
  } finally {
    if (old === undefined) Deno.env.delete(name);
    else Deno.env.set(name, old);
  }
}

Deno.test("resolveInterpolations: a lone interpolation keeps the type, a mixed one makes a text", () => {
  const resolved = resolveInterpolations({
    number: 3,
    map: { inner: [1, { deep: "${number}" }] },
    same: "${number}",
    text: "n=${number}, ${ map.inner[0] }",
    copy: "${map}",
    chain: "${same}",
    nothing: "${empty}",
    empty: null,
  });
  assert.deepEqual(resolved, {
    number: 3,
    map: { inner: [1, { deep: 3 }] },
    same: 3,
    text: "n=3, 1",
    copy: { inner: [1, { deep: 3 }] },
    chain: 3,
    nothing: null,
    empty: null,
  });
});

Deno.test("resolveInterpolations: nested and relative keys", () => {
  assert.deepEqual(
    resolveInterpolations({ which: "b", a: { b: 7, c: "${.b}", d: { e: "${..b}" } }, x: "${a.${which}}" }),
    { which: "b", a: { b: 7, c: 7, d: { e: 7 } }, x: 7 },
  );
});

Deno.test("resolveInterpolations: names with dots are found", () => {
  assert.deepEqual(resolveInterpolations({ s: { "a.b": { low: 1 } }, x: "${s.a.b.low}" }).x, 1);
});

Deno.test("resolveInterpolations: an escaped interpolation is literal", () => {
  assert.deepEqual(resolveInterpolations({ a: "\\${b} costs $5 {x}" }), { a: "${b} costs $5 {x}" });
});

Deno.test("oc.env: the variable, else the default, else an error", () => {
  const read = (text: string) => resolveInterpolations({ a: text, other: "o" }).a;
  withEnvironment("ENTAIL_TEST_VARIABLE", "value", () => {
    assert.equal(read("${oc.env:ENTAIL_TEST_VARIABLE}"), "value");
    assert.equal(read("${oc.env:ENTAIL_TEST_VARIABLE,default}"), "value");
  });
  withEnvironment("ENTAIL_TEST_VARIABLE", undefined, () => {
    assert.equal(read("${oc.env:ENTAIL_TEST_VARIABLE,sqlite:///x.db}"), "sqlite:///x.db");
    assert.equal(read("${oc.env:ENTAIL_TEST_VARIABLE, 'a, b'}/c"), "a, b/c");
    assert.equal(read("${oc.env:ENTAIL_TEST_VARIABLE,${other}}"), "o");
    assert.equal(read("${oc.env:ENTAIL_TEST_VARIABLE,null}"), null);
    assert.equal(read("${oc.env:ENTAIL_TEST_VARIABLE,''}"), "");
    assert.equal(
      refusal({ storage: "${oc.env:ENTAIL_TEST_VARIABLE}" }),
      '"storage": environment variable ENTAIL_TEST_VARIABLE is not set and has no default',
    );
  });
});

Deno.test("entail:project: the folder that holds configs/", () => {
  const { a } = resolveInterpolations({ a: "${entail:project}" });
  assert.ok(typeof a === "string" && isAbsolute(a) && existsSync(join(a, "configs", "config.yaml")), `${a}`);
});

Deno.test("resolveInterpolations: cycles are errors that name the keys", () => {
  assert.equal(refusal({ a: "${b}", b: "${c}", c: "x${a}" }), '"a": interpolation cycle: a -> b -> c -> a');
  assert.match(refusal({ a: "${a}" }), /interpolation cycle: a -> a/);
  assert.match(refusal({ a: { b: "${a}" } }), /interpolation cycle: a -> a\.b -> a/);
});

Deno.test("resolveInterpolations: errors name the key that holds the interpolation", () => {
  assert.equal(
    refusal({ dir: "${experment_name}", experiment_name: "x" }),
    '"dir": interpolation key "experment_name" not found; did you mean "experiment_name"?',
  );
  assert.match(refusal({ a: { b: "${nope:x}" } }), /^"a.b": unknown resolver "\$\{nope:x\}"/);
  assert.match(refusal({ a: "${b" }), /^"a": an interpolation is not closed/);
  assert.match(refusal({ a: "${..b}" }), /^"a": interpolation "..b" leaves the configuration/);
  assert.match(refusal({ a: "x${b}", b: { c: 1 } }), /puts a mapping or list into a text/);
  assert.match(refusal({ a: "${}" }), /^"a": interpolation key "" not found/);
});

Deno.test("resolveInterpolations: chains, nesting and growth have limits", () => {
  const chain = (length: number, link: (next: string) => Tree[string]) =>
    Object.fromEntries(
      Array.from({ length }, (_, i) => [`k${i}`, i === length - 1 ? "end" : link(`\${k${i + 1}}`)]),
    );
  assert.match(refusal(chain(5000, (next) => next)), /^"k\d+": nested, or led on .* through more than 100 keys$/);
  assert.match(refusal(chain(60, (next) => [next, next])), /^"k\d+": interpolations make more than 100000 values$/);
  assert.match(refusal(chain(60, (next) => next.repeat(50))), /a text of more than 1000000 characters$/);
  assert.match(refusal({ a: "${".repeat(20_000) + "b" + "}".repeat(20_000) }), /^"a": .* nested too deep/);
  assert.match(refusal(chain(50, (next) => next)), /^accepted: .*"k0":"end"/);
});

Deno.test("resolveInterpolations: a name that no variable can have is one that is not set", () => {
  assert.match(refusal({ a: "${oc.env:A=B}" }), /environment variable A=B is not set/);
  assert.match(refusal({ a: "${oc.env:A\0B,c}" }), /^accepted: {"a":"c"}$/);
});
