/** What every page of a report and each of its charts must be. */
import assert from "node:assert/strict";

/** Charts are XML without a number gone missing; the page needs nothing else, follows no link and runs nothing. */
export function assertPage(files: ReadonlyMap<string, string>): void {
  for (const [name, content] of files) {
    if (!name.endsWith(".svg")) continue;
    assertXml(content, name);
    assert.doesNotMatch(content, /NaN|undefined|Infinity/, name);
  }
  const html = files.get("report.html")!;
  assert.doesNotMatch(html, /<(script|img|link|iframe|a)\b|url\((?!#)|https?:(?!\/\/www\.w3\.org\/)/i);
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
