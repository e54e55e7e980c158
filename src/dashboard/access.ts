/** Who may ask the server, and for what: from this machine everybody, from elsewhere whoever has the token. */
import { createHash, timingSafeEqual } from "node:crypto";

/** Addresses that only this machine reaches, as `URL.hostname` writes them. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Every address of the machine. */
const WILDCARDS = ["0.0.0.0", "[::]"];

/** A `Host` header: a name or an address, with or without a port. */
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(:\d+)?$/i;

/** As `URL.hostname` writes it; null for what is no host. */
function hostname(text: string): string | null {
  const host = text.includes(":") && !text.startsWith("[") && text.split(":").length > 2 ? `[${text}]` : text;
  return HOST.test(host) ? URL.parse(`http://${host}`)?.hostname ?? null : null;
}

export const isLoopback = (host: string): boolean => LOOPBACK.test(hostname(host) ?? "");

export interface Access {
  /** What the server listens at. */
  host: string;
  /** Null: none is asked for. */
  token: string | null;
}

/** The names by which the server may be called; any other is a page elsewhere whose name leads here. */
function ownNames(host: string): Set<string> {
  const own = hostname(host) ?? host;
  if (!WILDCARDS.includes(own)) return new Set([own]);
  const addresses = Deno.networkInterfaces().map(({ address }) => hostname(address) ?? address);
  return new Set([...addresses, Deno.hostname().toLowerCase()]);
}

/** The name of the cookie that a browser keeps the token in: other requests of the page cannot carry it in their address. */
const cookieName = (request: Request): string => `entail_token_${new URL(request.url).port || "80"}`;

/**
 * The check of a request: the answer that refuses it, or headers for the answer that it gets. What a request asks for
 * counts for nothing before its sender is known.
 */
export function gatekeeper({ host, token }: Access): (request: Request) => Response | Headers {
  const names = ownNames(host);
  return (request) => {
    const asked = hostname(request.headers.get("host") ?? new URL(request.url).host);
    if (asked === null || !(LOOPBACK.test(asked) || names.has(asked))) {
      return refusal(403, "this host is not served here");
    }
    const headers = new Headers();
    if (token !== null) {
      const inAddress = new URL(request.url).searchParams.get("token");
      const tokens = [inAddress, bearerOf(request), cookieOf(request)].filter((each) => each !== null);
      if (!tokens.some((each) => isSame(each, token))) {
        return refusal(401, "a token is needed: ?token=… or Authorization: Bearer …", { "www-authenticate": "Bearer" });
      }
      if (inAddress !== null) {
        headers.set(
          "set-cookie",
          `${cookieName(request)}=${encodeURIComponent(token)}; Path=/; HttpOnly; SameSite=Strict`,
        );
      }
    }
    if (request.method !== "GET") return refusal(405, "only GET is answered", { allow: "GET" });
    return headers;
  };
}

const bearerOf = (request: Request): string | null =>
  /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? null;

function cookieOf(request: Request): string | null {
  const start = `${cookieName(request)}=`;
  const own = request.headers.get("cookie")?.split(/; */).find((cookie) => cookie.startsWith(start));
  try {
    return own === undefined ? null : decodeURIComponent(own.slice(start.length));
  } catch {
    return null;
  }
}

/** In a time that does not tell how much of it is right. */
function isSame(given: string, token: string): boolean {
  const [a, b] = [given, token].map((text) => createHash("sha256").update(text).digest());
  return timingSafeEqual(a, b);
}

const refusal = (status: number, message: string, headers: HeadersInit = {}): Response =>
  new Response(`${message}\n`, { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers } });

/** Scripts, styles and data of the server itself, and nothing from anywhere else. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What every answer carries; `policy` in place of the page's. */
export function secured(response: Response, more: Headers, policy = PAGE_POLICY): Response {
  const { headers } = response;
  for (const [name, value] of more) headers.append(name, value);
  const all = {
    "content-security-policy": policy,
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
  for (const [name, value] of Object.entries(all)) if (!headers.has(name)) headers.set(name, value);
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  return response;
}

/** The policy of a report: the one that stands in it, or none of its scripts and nothing from anywhere. */
export function reportPolicy(html: string): string {
  const own = /<meta http-equiv="content-security-policy" content="([^"]*)">/i.exec(html)?.[1];
  return `${
    own ?? "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
  }; frame-ancestors 'none'`;
}
