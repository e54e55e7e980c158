import { EntailError } from "../errors.ts";
import type { TokenizedPair } from "./batches.ts";

/** How a tokenizer joins two sequences, or surrounds one. */
export interface PairTemplate {
  /** Special tokens that a pair gets. */
  specialTokens: number;
  /** Special tokens before the first sequence. */
  leadingTokens: number;
  /** Joins the first `count` ids of `first` and all of `second`. */
  fill(first: readonly number[], count: number, second: readonly number[]): TokenizedPair;
}

/** A sequence or a special token, with its segment. */
type Item = { sequence: "A" | "B"; typeId: number } | { ids: number[]; typeId: number };

type TemplateItem = { SpecialToken: { id: string; type_id: number } } | {
  Sequence: { id: "A" | "B"; type_id: number };
};

interface TemplateProcessing {
  single: TemplateItem[];
  pair: TemplateItem[];
  special_tokens: Record<string, { ids: number[] }>;
}

/**
 * Reads the `post_processor` of a tokenizer.json with `vocabSize` tokens; data error for a kind that is not known, and
 * for ids that are none.
 */
export function parsePairTemplate(processor: unknown, vocabSize: number, name: string): PairTemplate {
  const items = parseItems(processor as Processor, "pair", name) ?? [
    { sequence: "A", typeId: 0 },
    { sequence: "B", typeId: 1 },
  ];
  return templateOf(checkItems(items, vocabSize, name));
}

/** The same for a text alone: a template whose second sequence is ignored. */
export function parseSingleTemplate(processor: unknown, vocabSize: number, name: string): PairTemplate {
  const items = parseItems(processor as Processor, "single", name) ?? [{ sequence: "A", typeId: 0 }];
  return templateOf(checkItems(items, vocabSize, name));
}

function checkItems(items: Item[], vocabSize: number, name: string): Item[] {
  const isId = (id: unknown): boolean => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize;
  for (const item of items) {
    if ("ids" in item && !(Array.isArray(item.ids) && item.ids.every(isId))) {
      const ids = JSON.stringify(item.ids);
      throw new EntailError("data", `${name}: post_processor: ${ids} must be ids of tokens, 0 to ${vocabSize - 1}`);
    }
    if (item.typeId !== 0 && item.typeId !== 1) {
      throw new EntailError("data", `${name}: post_processor: type_id must be 0 or 1, not ${item.typeId}`);
    }
  }
  return items;
}

function templateOf(items: readonly Item[]): PairTemplate {
  const count = (some: readonly Item[]) => some.reduce((sum, item) => sum + ("ids" in item ? item.ids.length : 0), 0);
  const specialTokens = count(items);
  const hasSecond = items.some((item) => "sequence" in item && item.sequence === "B");
  return {
    specialTokens,
    leadingTokens: count(items.slice(0, items.findIndex((item) => "sequence" in item))),
    fill: (first, count, second) => {
      const length = specialTokens + count + (hasSecond ? second.length : 0);
      const ids = new Uint32Array(length);
      const typeIds = new Uint8Array(length);
      let end = 0;
      for (const item of items) {
        const part = "ids" in item ? item.ids : item.sequence === "A" ? first : second;
        const taken = "sequence" in item && item.sequence === "A" ? count : part.length;
        const start = end;
        for (let i = 0; i < taken; i++) ids[end++] = part[i];
        typeIds.fill(item.typeId, start, end);
      }
      return { ids, typeIds };
    },
  };
}

type Processor = { type?: string } | null | undefined;

/** Undefined for a processor that adds nothing. */
function parseItems(processor: Processor, kind: "single" | "pair", name: string): Item[] | undefined {
  switch (processor?.type) {
    case undefined:
    case "ByteLevel":
      return undefined;
    case "Sequence": {
      const { processors } = processor as { processors: { type?: string }[] };
      const templates = processors.map((part) => parseItems(part, kind, name)).filter((items) => items !== undefined);
      if (templates.length > 1) throw new EntailError("data", `${name}: post_processor has two templates`);
      return templates[0];
    }
    case "TemplateProcessing": {
      const { [kind]: template, special_tokens: special } = processor as unknown as TemplateProcessing;
      return template.map((item) =>
        "Sequence" in item
          ? { sequence: item.Sequence.id, typeId: item.Sequence.type_id }
          : { ids: special[item.SpecialToken.id].ids, typeId: item.SpecialToken.type_id }
      );
    }
    case "BertProcessing":
    case "RobertaProcessing": {
      const { cls, sep } = processor as unknown as { cls: [string, number]; sep: [string, number] };
      const roberta = processor.type === "RobertaProcessing";
      if (kind === "single") {
        return [{ ids: [cls[1]], typeId: 0 }, { sequence: "A", typeId: 0 }, { ids: [sep[1]], typeId: 0 }];
      }
      // RoBERTa separates with two tokens and knows one segment only.
      const second = roberta ? 0 : 1;
      return [
        { ids: [cls[1]], typeId: 0 },
        { sequence: "A", typeId: 0 },
        { ids: roberta ? [sep[1], sep[1]] : [sep[1]], typeId: 0 },
        { sequence: "B", typeId: second },
        { ids: [sep[1]], typeId: second },
      ];
    }
    default:
      throw new EntailError("data", `${name}: post_processor "${processor?.type}" is not known`);
  }
}
