/**
 * Which tokens a tokenizer finds before anything else, with their ids: from tokenizer_config.json, and, in folders of
 * earlier years, special_tokens_map.json and added_tokens.json. Works as transformers 5.23 does
 * (`PreTrainedTokenizerBase._from_pretrained`, `TokenizersBackend.__init__`).
 */
import type { AddedToken, AddedTokenWithId, TokenizerModel } from "./document.ts";

type Json = Record<string, unknown>;

/** A token whose flags nobody gave is special and looked for in texts as they are. */
type Named = string | AddedToken;

/** The files that name tokens; empty where there is none. */
export interface TokenFiles {
  folder: string;
  settings: Json;
  specialTokensMap: Json;
  addedTokens: Json;
}

export interface SpecialTokens {
  /** By `cls_token` and so on. */
  named: ReadonlyMap<string, Named>;
  /** Those with an order of their own come first. */
  ordered: readonly AddedToken[];
  extra: readonly Named[];
}

const NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

const FLAGS = ["content", "single_word", "lstrip", "rstrip", "normalized", "special"] as const;

export const contentOf = (token: Named): string => typeof token === "string" ? token : token.content;

/**
 * What the files say; `defaults` are the names of the tokenizer's class, `listed` the tokens of tokenizer.json, `own`
 * those of the vocabulary file.
 */
export function readSpecialTokens(
  { settings, specialTokensMap, addedTokens }: TokenFiles,
  defaults: Readonly<Record<string, string>>,
  listed: readonly AddedTokenWithId[],
  own: readonly AddedToken[] = [],
): SpecialTokens {
  const values: Json = { ...settings };
  const ordered = new Map<number, AddedToken>();
  if (isRecord(settings.added_tokens_decoder)) {
    for (const [id, token] of Object.entries(settings.added_tokens_decoder)) {
      if (isRecord(token)) ordered.set(Number(id), addedToken(token));
    }
  } else {
    for (const [key, value] of Object.entries(specialTokensMap)) values[key] = named(value, true) ?? value;
    const special = new Set(
      [...NAMES.map((key) => named(values[key])), ...extraTokens(values)].map((token) => token && contentOf(token)),
    );
    for (const [content, id] of Object.entries(addedTokens)) {
      ordered.set(Number(id), addedToken({ content, special: special.has(content) }));
    }
    for (const { id, ...token } of listed) ordered.set(id, addedToken({ ...token }));
  }
  const byContent = new Map([...ordered.values()].map((token) => [token.content, token]));
  const names = new Map<string, Named>();
  const ownNames = Object.keys(values).filter((key) => key.endsWith("_token") && !NAMES.includes(key));
  for (const key of [...NAMES, ...ownNames]) {
    // A name that is null has no token.
    const token = key in values ? named(values[key]) : defaults[key];
    if (token !== undefined) names.set(key, key in values ? byContent.get(contentOf(token)) ?? token : token);
  }
  const { extra_special_tokens: extra } = values;
  if (isRecord(extra)) {
    for (const [key, value] of Object.entries(extra)) {
      const token = named(value);
      if (token !== undefined) names.set(key, token);
    }
  }
  const given = extraTokens(values);
  return {
    named: names,
    ordered: [...ordered].sort(([a], [b]) => a - b).map(([, token]) => token),
    extra: own.length > 0 && !given.length ? own : given,
  };
}

function extraTokens({ extra_special_tokens: extra, additional_special_tokens: additional }: Json): Named[] {
  const list = Array.isArray(extra) && extra.length > 0 ? extra : Array.isArray(additional) ? additional : [];
  return list.map((token) => named(token)).filter((token) => token !== undefined);
}

/** A token as a file names it: its text, or an object with its flags. */
function named(value: unknown, special?: boolean): Named | undefined {
  if (typeof value === "string") return value;
  return isRecord(value) && typeof value.content === "string"
    ? addedToken(special === undefined ? value : { ...value, special })
    : undefined;
}

function addedToken(flags: Json): AddedToken {
  const special = flags.special === true;
  return {
    content: String(flags.content),
    single_word: flags.single_word === true,
    lstrip: flags.lstrip === true,
    rstrip: flags.rstrip === true,
    normalized: typeof flags.normalized === "boolean" ? flags.normalized : !special,
    special,
  };
}

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The list of a tokenizer.json: those that are `present` already, then the others as they get their ids. */
export function addSpecialTokens(
  model: TokenizerModel,
  present: readonly AddedTokenWithId[],
  { named, ordered, extra }: SpecialTokens,
): AddedTokenWithId[] {
  const ids = Array.isArray(model.vocab)
    ? new Map(model.vocab.map(([piece], id) => [piece, id]))
    : new Map(Object.entries(model.vocab));
  const size = ids.size;
  const added = new Map<number, AddedToken>(present.map(({ id, ...token }) => [id, token]));
  present.forEach(({ id, content }) => ids.set(content, id));
  const specialNames = new Set([...named.values()].map(contentOf));
  const known = new Set([...present.map(({ content }) => content), ...ordered.map(({ content }) => content)]);
  const later = [...named.values(), ...extra].filter((token) => !known.has(contentOf(token)));
  const isPresent = (token: AddedToken) => present.some((each) => FLAGS.every((flag) => each[flag] === token[flag]));
  for (const token of [...ordered.filter((each) => !isPresent(each)), ...later]) {
    const flags = typeof token === "string" ? addedToken({ content: token, special: true }) : token;
    if (flags.content === "") continue;
    let id = ids.get(flags.content);
    if (id === undefined) {
      const largest = Math.max(...added.keys());
      id = largest >= size ? largest + 1 : size;
      ids.set(flags.content, id);
    }
    added.set(id, { ...flags, special: flags.special || specialNames.has(flags.content) });
  }
  return [...added].sort(([a], [b]) => a - b).map(([id, token]) => ({ id, ...token }));
}
