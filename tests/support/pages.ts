/** What every page of a report and each of its charts must be. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import type { PageCharts } from "../../src/report/page.ts";

/** Charts are XML without a number gone missing; the page needs nothing else, follows no link and runs only its own. */
export function assertPage(files: ReadonlyMap<string, string>): void {
  for (const [name, content] of files) {
    if (!name.endsWith(".svg")) continue;
    assertXml(content, name);
    assert.doesNotMatch(content, /NaN|undefined|Infinity/, name);
  }
  const html = files.get("report.html")!;
  const scripts = [...html.matchAll(/<script type="([^"]*)"(?: id="(\w+)")?>(.*?)<\/script>/gs)];
  const rest = scripts.reduce((text, [script]) => text.replace(script, ""), html);
  assert.doesNotMatch(rest, /<(script|img|link|iframe|a)\b|url\((?!#)|https?:(?!\/\/www\.w3\.org\/)/i);
  assert.deepEqual(scripts.map(([, type, id]) => id ?? type), files.size > 2 ? ["charts", "library", "module"] : []);
  const [, policy] = /<meta http-equiv="content-security-policy" content="([^"]*)">/.exec(html)!;
  assert.match(
    policy,
    /^default-src 'none'; style-src 'unsafe-inline'; script-src ('none'|'sha256-.*'); base-uri 'none'/,
  );
  for (const [, type, id, text] of scripts) {
    if (id === "charts") continue;
    const run = type === "module" ? text : unpacked(text);
    assert.ok(policy.includes(`'sha256-${createHash("sha256").update(run).digest("base64")}'`), type);
  }
}

/** What a page's script unpacks. */
export const unpacked = (text: string): string => new TextDecoder().decode(gunzipSync(Buffer.from(text, "base64")));

/** The charts in a page, as its script finds them. */
export function chartsIn(html: string): PageCharts {
  const [, packed] = /<script type="application\/gzip" id="charts">([^<]*)</.exec(html)!;
  return JSON.parse(unpacked(packed));
}

/** Every element is closed where it should be, and no attribute is left open. */
function assertXml(text: string, label: string): void {
  const open: string[] = [];
  const rest = text.replace(
    /<(\/?)([\w:]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
    (_, close, name, _attributes, empty) => {
      if (close) assert.equal(open.pop(), name, label);
      else if (!empty) open.push(name);
      return "";
    },
  );
  assert.deepEqual(open, [], label);
  assert.doesNotMatch(rest, /[<>]/, label);
}
