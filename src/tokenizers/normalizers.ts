/** The `normalizer` of a tokenizer.json, as the crate `tokenizers` applies it. */
import { EntailError } from "../errors.ts";
import { bytesAsCharacters } from "./byte_level.ts";
import type { Part } from "./document.ts";
import { patternOf } from "./pattern.ts";
import { createCharsmap } from "./precompiled.ts";
import { cleanText, lowerCase, normalizeForm, removeCombining, removeNonspacing, spaceChinese } from "./unicode.ts";

export type Normalizer = (text: string) => string;

const CREATE: Readonly<Record<string, (part: Part, name: string) => Normalizer>> = {
  BertNormalizer: bertNormalizer,
  ByteLevel: () => bytesAsCharacters,
  Lowercase: () => lowerCase,
  NFC: () => (text) => normalizeForm(text, "NFC"),
  NFD: () => (text) => normalizeForm(text, "NFD"),
  NFKC: () => (text) => normalizeForm(text, "NFKC"),
  NFKD: () => (text) => normalizeForm(text, "NFKD"),
  Nmt: () => nmt,
  Precompiled: ({ precompiled_charsmap: charsmap }, name) =>
    charsmap ? createCharsmap(String(charsmap), name) : (text) => text,
  Prepend: ({ prepend }) => (text) => text === "" ? text : `${prepend}${text}`,
  Replace: replaceNormalizer,
  Sequence: sequenceNormalizer,
  Strip: stripNormalizer,
  StripAccents: () => removeCombining,
};

/** Data error for a part that is not known. */
export function createNormalizer(part: Part | null | undefined, name: string): Normalizer {
  if (part == null) return (text) => text;
  const create = Object.hasOwn(CREATE, part.type) ? CREATE[part.type] : undefined;
  if (create === undefined) throw new EntailError("data", `${name}: normalizer "${part.type}" is not known`);
  return create(part, name);
}

function bertNormalizer(part: Part): Normalizer {
  const { clean_text: clean, handle_chinese_chars: chinese, lowercase: lower } = part;
  const accents = part.strip_accents ?? lower;
  return (text) => {
    if (clean) text = cleanText(text);
    if (chinese) text = spaceChinese(text);
    if (accents) text = removeNonspacing(normalizeForm(text, "NFD"));
    return lower ? lowerCase(text) : text;
  };
}

/** What SentencePiece's rules of the same name do first. */
const nmt: Normalizer = (text) =>
  // deno-lint-ignore no-control-regex
  text.replace(/[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g, "")
    .replace(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, " ");

function replaceNormalizer({ pattern, content }: Part, name: string): Normalizer {
  const found = patternOf(pattern, name);
  return (text) => text.replace(found, () => String(content));
}

function sequenceNormalizer({ normalizers }: Part, name: string): Normalizer {
  const parts = (normalizers as Part[]).map((part) => createNormalizer(part, name));
  return (text) => parts.reduce((normalized, normalize) => normalize(normalized), text);
}

function stripNormalizer({ strip_left: left, strip_right: right }: Part): Normalizer {
  return (text) => {
    let [start, end] = [0, text.length];
    if (left) { while (start < end && isSpace(text[start])) start++; }
    if (right) { while (end > start && isSpace(text[end - 1])) end--; }
    return text.slice(start, end);
  };
}

const isSpace = (character: string): boolean => /\p{White_Space}/u.test(character);
