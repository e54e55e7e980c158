import assert from "node:assert/strict";
import { literal, plain, table } from "../../src/report/markdown.ts";
import { reportPage } from "../../src/report/page.ts";

const pageOf = (title: string, markdown: string) => reportPage(title, markdown, { plots: [] }, new Map());

const HOSTILE = [
  "<script>alert(1)</script>",
  "a|b",
  "a\\|<b>c</b>|",
  "`<i>x</i>`",
  "``` `<u>",
  "](javascript:alert(1))",
  "[x](https://example.com)",
  "![x](history.svg)",
  "https://example.com www.example.com a@example.com",
  '"><img src=x onerror=alert(1)>',
  "line\nbreak\r\n\n# heading\n<hr>",
  "&lt;b&gt; &amp;",
  "*a* _b_ ~~c~~ <!-- d -->",
  "\u202Eright to left\u0000\u2028",
  " leading and trailing ",
  "é 漢字 😀 \\",
  "\\`<b>`",
];

/** What a reader of the page sees in an element's text. */
const seen = (html: string) =>
  html.replace(/<[^>]*>/g, "").replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&amp;", "&");

Deno.test("literal: whatever the text, the page shows it and has no element of it, in prose and in tables", async () => {
  for (const text of HOSTILE) {
    const html = await pageOf("s", `# ${literal(text)}\n\n${table(["a", literal(text)], [[literal(text), "1"]])}\n`);
    const body = html.slice(html.indexOf("<body>"));
    const tags = new Set(body.match(/<\/?[a-z!][a-z0-9]*/gi)!.map((tag) => tag.replace(/[</]/g, "")));
    const allowed = "body html h1 div table thead tbody tr th td code".split(" ");
    assert.deepEqual([...tags].filter((tag) => !allowed.includes(tag)), [], `${text} in ${body}`);
    const cells = [...body.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>|<h1>(.*?)<\/h1>/g)].map((match) =>
      seen(match[1] ?? match[2])
    );
    assert.deepEqual(cells, [plain(text), "a", plain(text), plain(text), "1"].map((cell) => cell.trim()), body);
  }
});

Deno.test("plain: one line of bounded length", () => {
  assert.equal(plain("a\n\tb\u202Ec"), "a bc");
  assert.equal(plain("x".repeat(1000)).length, 300);
  assert.equal(plain("😀".repeat(1000)).isWellFormed(), true);
});

Deno.test("literal: ordinary names stay readable in the Markdown", () => {
  assert.equal(literal("learning_rate"), "`learning_rate`");
  assert.equal(literal(""), "(empty)");
});

Deno.test("reportPage: HTML in the Markdown is shown, the study's name cannot leave the title", async () => {
  const html = await pageOf("</title><script>x</script>", "<b>bold</b>\n\n<script>y</script>\n");
  assert.doesNotMatch(html, /<script|<b>/);
  assert.match(html, /&#60;script&#62;y/);
});
