/** The `pre_tokenizer` of a tokenizer.json, which cuts normalized text into words, as the crate `tokenizers` does. */
import { EntailError } from "../errors.ts";
import { bytesAsCharacters } from "./byte_level.ts";
import type { Part } from "./document.ts";
import { patternOf } from "./pattern.ts";
import { NUMBER, PUNCTUATION, WHITE_SPACE, WORD } from "./unicode.ts";

/** Words of a text; `atStart` tells the text at the start of the input, before any special token. */
export type PreTokenizer = (text: string, atStart: boolean) => string[];

const CREATE: Readonly<Record<string, (part: Part, name: string) => PreTokenizer>> = {
  BertPreTokenizer: () => matches(`[^${WHITE_SPACE}${PUNCTUATION}]+|${PUNCTUATION}`),
  ByteLevel: byteLevel,
  CharDelimiterSplit: ({ delimiter }) => (text) => text.split(String(delimiter)),
  Digits: ({ individual_digits: individual }) => splitter(NUMBER, individual ? "Isolated" : "Contiguous"),
  FixedLength: ({ length }) => matches(`.{1,${Number(length ?? 5)}}`),
  Metaspace: metaspace,
  Punctuation: ({ behavior }) => splitter(PUNCTUATION, String(behavior ?? "Isolated")),
  Sequence: sequence,
  Split: split,
  Whitespace: () => matches(`${WORD}+|[^${WORD}${WHITE_SPACE}]+`),
  WhitespaceSplit: () => matches(`[^${WHITE_SPACE}]+`),
};

/** Data error for a part that is not known. */
export function createPreTokenizer(part: Part | null | undefined, name: string): PreTokenizer {
  if (part == null) return (text) => [text];
  const create = Object.hasOwn(CREATE, part.type) ? CREATE[part.type] : undefined;
  if (create === undefined) throw new EntailError("data", `${name}: pre_tokenizer "${part.type}" is not known`);
  return create(part, name);
}

function matches(pattern: string): PreTokenizer {
  const expression = new RegExp(pattern, "gsv");
  return (text) => text.match(expression) ?? [];
}

/** Cuts at the matches of a character class; where they go says `behavior`. */
function splitter(mark: string, behavior: string): PreTokenizer {
  const other = `[^${mark}]`;
  switch (behavior) {
    case "Removed":
      return matches(`${other}+`);
    case "Contiguous":
      return matches(`${other}+|${mark}+`);
    case "MergedWithPrevious":
      return matches(`${other}*${mark}|${other}+`);
    case "MergedWithNext":
      return matches(`${mark}${other}*|${other}+`);
    default:
      return matches(`${other}+|${mark}`);
  }
}

const GPT2_WORDS = new RegExp(
  String
    .raw`'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`,
  "gu",
);

function byteLevel({ add_prefix_space: prefix, use_regex: useRegex }: Part): PreTokenizer {
  return (text) => {
    const spaced = prefix && !text.startsWith(" ") ? ` ${text}` : text;
    const words = useRegex ?? true ? spaced.match(GPT2_WORDS) ?? [] : [spaced];
    return words.map(bytesAsCharacters);
  };
}

function metaspace({ replacement, prepend_scheme: scheme, add_prefix_space: prefix, split: cuts }: Part): PreTokenizer {
  const mark = String(replacement);
  const where = prefix === false ? "never" : scheme ?? "always";
  return (text, atStart) => {
    const marked = text.replaceAll(" ", mark);
    const prepends = (where === "always" || (where === "first" && atStart)) && !marked.startsWith(mark);
    const whole = prepends ? mark + marked : marked;
    return cuts ?? true ? splitBefore(whole, mark) : [whole];
  };
}

/** Cuts before every mark. */
function splitBefore(text: string, mark: string): string[] {
  const parts: string[] = [];
  for (let start = 0; start < text.length;) {
    const next = text.indexOf(mark, start + 1);
    const end = next < 0 ? text.length : next;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}

function sequence({ pretokenizers }: Part, name: string): PreTokenizer {
  const parts = (pretokenizers as Part[]).map((part) => createPreTokenizer(part, name));
  return (text, atStart) =>
    parts.reduce(
      (words, cut) => words.flatMap((word, i) => cut(word, atStart && i === 0).filter((each) => each !== "")),
      [text],
    );
}

/** Cuts at the matches of any pattern; `invert` takes what lies between them for the matches. */
function split({ pattern, behavior, invert }: Part, name: string): PreTokenizer {
  const expression = patternOf(pattern, name);
  return (text) => {
    const spans: { part: string; isMatch: boolean }[] = [];
    let end = 0;
    const add = (from: number, to: number, isMatch: boolean): void => {
      if (to > from) spans.push({ part: text.slice(from, to), isMatch: isMatch !== (invert ?? false) });
    };
    for (const match of text.matchAll(expression)) {
      add(end, match.index, false);
      end = match.index + match[0].length;
      add(match.index, end, true);
    }
    add(end, text.length, false);
    return joinSpans(spans, String(behavior));
  };
}

function joinSpans(spans: readonly { part: string; isMatch: boolean }[], behavior: string): string[] {
  if (behavior === "Removed") return spans.filter(({ isMatch }) => !isMatch).map(({ part }) => part);
  const words: string[] = [];
  spans.forEach(({ part, isMatch }, i) => {
    const before = spans[i - 1];
    const joins = before !== undefined &&
      (behavior === "Contiguous"
        ? isMatch === before.isMatch
        : behavior === "MergedWithPrevious"
        ? isMatch && !before.isMatch
        : behavior === "MergedWithNext" && !isMatch && before.isMatch);
    if (joins) words[words.length - 1] += part;
    else words.push(part);
  });
  return words;
}
