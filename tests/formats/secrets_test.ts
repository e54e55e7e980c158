import assert from "node:assert/strict";
import { unmasked, withoutCredentials, withoutPasswords } from "../../src/formats/secrets.ts";

const CASES: [address: string, shown: string, stored: string][] = [
  ["https://me:s3cr%40t@host:80/a:b@c", "https://me:***@host:80/a:b@c", "https://host:80/a:b@c"],
  ["postgresql+psycopg2://u:p@db/x", "postgresql+psycopg2://u:***@db/x", "postgresql+psycopg2://db/x"],
  ["redis://:pass@host", "redis://:***@host", "redis://host"],
  ["postgresql://u:p@ss@host/db", "postgresql://u:***@host/db", "postgresql://host/db"],
  ["postgresql://me@server:p:w@host/db", "postgresql://me@server:***@host/db", "postgresql://host/db"],
  ["postgresql://u:pa/ss?w#rd@host/db", "postgresql://u:***@host/db", "postgresql://host/db"],
  ["postgresql://u:my pass@host/db", "postgresql://u:***@host/db", "postgresql://host/db"],
  ["http://[::1]:5000/x@y", "http://[::1]:5000/x@y", "http://[::1]:5000/x@y"],
  ["http://u:p@[::1]:5000/x@y", "http://u:***@[::1]:5000/x@y", "http://[::1]:5000/x@y"],
  [
    "postgresql://db/x?user=u&password=p&sslmode=require",
    "postgresql://db/x?user=u&password=***&sslmode=require",
    "postgresql://db/x?user=u&sslmode=require",
  ],
  ["https://host/?access_token=a#top", "https://host/?access_token=***#top", "https://host/#top"],
];

Deno.test("withoutPasswords, withoutCredentials: addresses keep all but what is secret", () => {
  for (const [address, shown, stored] of CASES) {
    assert.equal(withoutPasswords(address), shown);
    assert.equal(withoutCredentials(address), stored);
    // What has been masked is no password when it is read again.
    assert.equal(unmasked(shown), stored);
    assert.equal(unmasked(address), address);
  }
});

Deno.test("withoutPasswords: addresses within a text, and texts without any", () => {
  assert.equal(
    withoutPasswords("uri: https://me:s3cr%40t@host:80/a:b@c\nstorage: postgresql://u:p@db/x\n"),
    "uri: https://me:***@host:80/a:b@c\nstorage: postgresql://u:***@db/x\n",
  );
  assert.equal(
    withoutPasswords('override "hpo.storage=postgresql://u:p@h/x?password=q": nobody@home answers'),
    'override "hpo.storage=postgresql://u:***@h/x?password=*** nobody@home answers',
  );
  const plain = "sqlite:///a.db http://host:5000/x@y note: a@b https://me@host why? a?b=c&d sqlite:////tmp/a:b@c.db";
  assert.equal(withoutPasswords(plain), plain);
  assert.equal(withoutCredentials(plain), plain);
  assert.equal(unmasked(plain), plain);
});

Deno.test("withoutPasswords: a long text takes no longer than it has to", () => {
  const text = "x".repeat(1_000_000);
  assert.equal(withoutPasswords(text), text);
});
