import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { EntailError } from "../../src/errors.ts";
import { parseOverride } from "../../src/config/override_grammar.ts";

interface Case {
  text: string;
  refused?: boolean;
  kind?: string;
  key?: string;
  value?: unknown;
}

const FIXTURE = new URL("../fixtures/config/hydra.json", import.meta.url);
const CASES: Case[] = JSON.parse(readFileSync(FIXTURE, "utf8")).overrides;
const KINDS: Record<string, string> = { change: "CHANGE", add: "ADD", force: "FORCE_ADD", delete: "DEL" };

/** The fixture's spelling of values that JSON does not have. */
function spelled(value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) {
    return { float: Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf" };
  }
  return value;
}

function parsed(text: string): Case {
  try {
    const { kind, key, value } = parseOverride(text);
    return value === undefined
      ? { text, kind: KINDS[kind], key }
      : { text, kind: KINDS[kind], key, value: spelled(value) };
  } catch (error) {
    assert.ok(error instanceof EntailError && error.kind === "usage", `${text}: ${error}`);
    return { text, refused: true };
  }
}

function refusal(text: string): string {
  try {
    parseOverride(text);
  } catch (error) {
    return (error as Error).message;
  }
  return `"${text}" was accepted`;
}

Deno.test("parseOverride: every value, quote, escape, list and mapping as Hydra parses it", () => {
  assert.ok(CASES.length > 100);
  // An empty key is Hydra's name for the whole configuration; a run has no use for it.
  const compared = CASES.filter(({ key }) => key !== "");
  assert.deepEqual(compared.map(({ text }) => parsed(text)), compared);
});

Deno.test("parseOverride: an empty key is refused", () => {
  for (const text of ["=1", "+=1", "~"]) assert.match(refusal(text), /key before `=` is missing/);
});

Deno.test("parseOverride: characters that Hydra has no rule for stand for themselves", () => {
  assert.equal(parseOverride("a=/tmp/données/été#1!").value, "/tmp/données/été#1!");
  assert.equal(parseOverride("a=~/x & y;z").value, "~/x & y;z");
  assert.equal(parseOverride("a=日本語").value, "日本語");
});

Deno.test("parseOverride: nested interpolations need no quotes", () => {
  assert.equal(parseOverride("a=${b.${c}}").value, "${b.${c}}");
  assert.equal(parseOverride("a=${oc.env:X,${b}}/y").value, "${oc.env:X,${b}}/y");
});

Deno.test("parseOverride: a refusal quotes the override and says what to do", () => {
  assert.match(refusal("seed=1,2"), /^override "seed=1,2": several values are a sweep; .*\[a,b\]/);
  assert.match(refusal("seed"), /^override "seed": write key=value$/);
  assert.match(refusal("+seed"), /write key=value/);
  assert.match(refusal("a=b=c"), /unexpected "="; put a value with special characters in quotes/);
  assert.match(refusal("a='b"), /the quote ' is not closed/);
  assert.match(refusal("a=${b"), /interpolation .* is not closed/);
  assert.match(refusal("a=[1,2"), /the value ends too early/);
  assert.match(refusal("a=range(1,2)"), /several values are a sweep; add -m/);
  assert.match(refusal("a=sort(1,2)"), /"sort\(…\)" looks like a function of a sweep/);
  assert.match(refusal("model@x=y"), /packages .* are not supported/);
  assert.match(refusal("a b=1"), /"a b" is not a configuration key/);
  assert.match(refusal("a=[ ,1]"), /unexpected ","/);
});

Deno.test("parseOverride: values nested without end are refused, and long ones quoted in short", () => {
  for (const [open, close] of [["[", "]"], ["{a:", "}"]]) {
    for (const value of [open.repeat(20_000), open.repeat(20_000) + close.repeat(20_000)]) {
      const message = refusal(`model.architecture=${value}`);
      assert.match(message, /…": lists and mappings nest deeper than 100$/);
      assert.ok(message.length < 500);
    }
  }
  assert.deepEqual(parseOverride(`a=${"[".repeat(100)}${"]".repeat(100)}`).kind, "change");
  assert.match(refusal("a\nb=1"), /^override "a b=1": "a b" is not a configuration key$/);
});
