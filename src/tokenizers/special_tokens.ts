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
  own?: readonly AddedToken[],
): SpecialTokens {
  const values: Json = { ...settings };
  if (isEmpty(settings.extra_special_tokens) && settings.additional_special_tokens !== undefined) {
    values.extra_special_tokens = settings.additional_special_tokens;
    delete values.additional_special_tokens;
  }
  const ordered = new Map<number, AddedToken>();
  if (isRecord(settings.added_tokens_decoder)) {
    for (const [id, token] of Object.entries(settings.added_tokens_decoder)) {
      if (isRecord(token)) ordered.set(Number(id), addedToken(token));
    }
  } else {
    for (const [key, value] of Object.entries(specialTokensMap)) values[key] = named(value, true) ?? value;
    // Of the names in tokenizer_config.json those with flags do not count here.
    const counted = NAMES.filter((key) => key in specialTokensMap || typeof values[key] === "string");
    const special = new Set([
      ...tokenList(counted.map((key) => values[key])).map(contentOf),
      ...tokenList(values.extra_special_tokens).map(contentOf),
    ]);
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
  return {
    named: names,
    ordered: [...ordered].sort(([a], [b]) => a - b).map(([, token]) => token),
    extra: Array.isArray(extra) ? tokenList(extra) : own ?? tokenList(values.additional_special_tokens),
  };
}

const isEmpty = (value: unknown): boolean => value == null || (Array.isArray(value) && value.length === 0);

const tokenList = (list: unknown): Named[] =>
  Array.isArray(list) ? list.map((token) => named(token)).filter((token) => token !== undefined) : [];

/** Whether two tokens are the same in all; one whose flags nobody gave is like no other. */
function isSame(one: Named, other: Named): boolean {
  if (typeof one === "string" || typeof other === "string") return one === other;
  return FLAGS.every((flag) => one[flag] === other[flag]);
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
  const size = Array.isArray(model.vocab) ? model.vocab.length : ids.size;
  const specialNames = new Set([...named.values()].map(contentOf));
  const added = new Map<number, AddedToken>();
  for (const { id: listed, ...token } of present) {
    const id = ids.get(token.content) ?? listed;
    ids.set(token.content, id);
    added.set(id, token);
  }
  const known = new Set([...present.map(({ content }) => content), ...ordered.map(({ content }) => content)]);
  const later: Named[] = [];
  for (const token of [...named.values(), ...extra]) {
    if (!known.has(contentOf(token)) && !later.some((other) => isSame(token, other))) later.push(token);
  }
  for (const token of [...ordered, ...later]) {
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
