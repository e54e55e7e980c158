import { EntailError } from "../errors.ts";

/**
 * The text normalizer of SentencePiece models: a map of byte sequences stored as a double-array trie (Darts) followed
 * by the zero-terminated replacements. Works as the crate `spm_precompiled` 0.1 does, which reads it for `transformers`:
 * a grapheme of fewer than 6 bytes is looked up as a whole, otherwise character by character, and the shortest entry
 * that begins the looked-up text replaces all of it. Data error if the map is damaged.
 */
export function createCharsmap(base64: string, name: string): (text: string) => string {
  const { trie, replacements } = decodeCharsmap(base64, name);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

  const lookUp = (bytes: Uint8Array): string | undefined => {
    let node = offset(trie[0]);
    for (const byte of bytes) {
      node ^= byte;
      const unit = trie[node];
      if (byte === 0 || unit === undefined || (unit & 0x800000ff) !== byte) return undefined;
      node ^= offset(unit);
      if ((unit >>> 8) & 1) {
        const start = trie[node] & 0x7fffffff;
        return decoder.decode(replacements.subarray(start, replacements.indexOf(0, start)));
      }
    }
    return undefined;
  };
  const seen = new Map<string, string>();
  const replaceGrapheme = (grapheme: string): string => {
    const bytes = encoder.encode(grapheme);
    const whole = bytes.length < 6 ? lookUp(bytes) : undefined;
    if (whole !== undefined) return whole;
    return Array.from(grapheme, (character) => lookUp(encoder.encode(character)) ?? character).join("");
  };
  const replaceKept = (grapheme: string): string => {
    let replaced = seen.get(grapheme);
    if (replaced === undefined) {
      replaced = replaceGrapheme(grapheme);
      if (seen.size < CACHE_SIZE) seen.set(grapheme, replaced);
    }
    return replaced;
  };
  return (text) =>
    text.replace(STRETCHES, (stretch) => {
      let normalized = "";
      if (ASCII.test(stretch)) {
        for (const grapheme of stretch.match(ASCII_GRAPHEMES)!) normalized += replaceKept(grapheme);
      } else {
        for (const grapheme of joinNewMarks(segmenter.segment(stretch))) normalized += replaceKept(grapheme);
      }
      return normalized;
    });
}

/**
 * ASCII alone, and anything else with the visible characters beside it, which may belong to its graphemes: to find the
 * bounds of graphemes takes long.
 */
const STRETCHES = /[ -~]?(?:[^\0-\x7f]+[ -~]?)+|[\0-\x7f]+?(?=[ -~]?[^\0-\x7f]|$)/g;
const ASCII = /^[\0-\x7f]*$/;
const ASCII_GRAPHEMES = /\r\n|[\0-\x7f]/g;

/** Marks since Unicode 17, which belong to the grapheme before them unless it is a control character. */
const NEW_MARKS =
  /^[\u1acf-\u1add\u1ae0-\u1aeb\u{10efa}\u{10efb}\u{11b60}-\u{11b67}\u{1e6e3}\u{1e6e6}\u{1e6ee}\u{1e6ef}\u{1e6f5}]/u;
const CONTROL =
  /[\p{Cc}\p{Zl}\p{Zp}\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb]$/u;

function* joinNewMarks(segments: Intl.Segments): Generator<string> {
  let grapheme = "";
  for (const { segment } of segments) {
    if (grapheme !== "" && NEW_MARKS.test(segment) && !CONTROL.test(grapheme)) {
      grapheme += segment;
    } else {
      if (grapheme !== "") yield grapheme;
      grapheme = segment;
    }
  }
  if (grapheme !== "") yield grapheme;
}

/** Graphemes whose replacement is kept. */
const CACHE_SIZE = 50_000;

function decodeCharsmap(base64: string, name: string): { trie: Uint32Array; replacements: Uint8Array } {
  const damaged = (): never => {
    throw new EntailError("data", `${name}: normalizer: precompiled_charsmap is damaged`);
  };
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.fromBase64(base64);
  } catch {
    return damaged();
  }
  if (bytes.length < 8) return damaged();
  const trieBytes = new DataView(bytes.buffer).getUint32(0, true);
  if (trieBytes === 0 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length) return damaged();
  return { trie: new Uint32Array(bytes.slice(4, 4 + trieBytes).buffer), replacements: bytes.subarray(4 + trieBytes) };
}

/** Distance from a unit of the trie to its children. */
function offset(unit: number): number {
  return ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;
}
