import type { BpeModel } from "./document.ts";

/** More than any vocabulary has. */
const IDS = 2 ** 24;

/** Two ids as one number. */
const pairOf = (left: number, right: number): number => left * IDS + right;

/** A merge's rank and place in the word as one number, which orders by rank, then by place. */
const PLACES = 2 ** 31;

/** Joins the neighbours whose merge comes first in the list, again and again (Sennrich et al. 2016). */
export function createBytePairs(model: BpeModel, unknownId: () => number): (word: string) => number[] {
  const vocab = new Map(Object.entries(model.vocab));
  const merges = readMerges(model, vocab);

  return (word) => {
    const whole = model.ignore_merges ? vocab.get(word) : undefined;
    if (whole !== undefined) return [whole];
    const ids = symbolsOf(word, model, vocab, unknownId);
    const next = ids.map((_, i) => i + 1);
    const previous = ids.map((_, i) => i - 1);
    const queue: number[] = [];
    const offer = (place: number): void => {
      const merge = next[place] < ids.length ? merges.get(pairOf(ids[place], ids[next[place]])) : undefined;
      if (merge !== undefined) push(queue, merge.rank * PLACES + place);
    };
    for (let place = 0; place < ids.length - 1; place++) offer(place);
    while (queue.length > 0) {
      const top = pop(queue);
      const place = top % PLACES;
      const right = next[place];
      if (ids[place] < 0 || right >= ids.length) continue;
      const merge = merges.get(pairOf(ids[place], ids[right]));
      // What stood there when the merge was offered has been joined to something else.
      if (merge?.rank !== Math.floor(top / PLACES)) continue;
      ids[place] = merge.id;
      ids[right] = -1;
      next[place] = next[right];
      if (next[right] < ids.length) previous[next[right]] = place;
      if (previous[place] >= 0) offer(previous[place]);
      offer(place);
    }
    return ids.filter((id) => id >= 0);
  };
}

function readMerges(model: BpeModel, vocab: ReadonlyMap<string, number>): Map<number, { rank: number; id: number }> {
  const skipped = model.continuing_subword_prefix?.length ?? 0;
  return new Map(model.merges.map((merge, rank) => {
    const [left, right] = typeof merge === "string" ? merge.split(" ") : merge;
    const id = vocab.get(left + right.slice(skipped))!;
    return [pairOf(vocab.get(left)!, vocab.get(right)!), { rank, id }];
  }));
}

/** The ids of a word's characters, which may be unknown. */
function symbolsOf(
  word: string,
  model: BpeModel,
  vocab: ReadonlyMap<string, number>,
  unknownId: () => number,
): number[] {
  const { continuing_subword_prefix: prefix, end_of_word_suffix: suffix, unk_token: unknown } = model;
  const ids: number[] = [];
  let lastUnknown = false;
  let start = 0;
  for (const character of word) {
    const end = start + character.length;
    const symbol = `${start > 0 ? prefix ?? "" : ""}${character}${end === word.length ? suffix ?? "" : ""}`;
    start = end;
    const id = vocab.get(symbol);
    const bytes = id === undefined && model.byte_fallback ? bytePieces(symbol, vocab) : undefined;
    const isUnknown = id === undefined && bytes === undefined;
    if (bytes !== undefined) ids.push(...bytes);
    else if (id !== undefined) ids.push(id);
    else if (unknown != null && !(lastUnknown && model.fuse_unk)) ids.push(unknownId());
    lastUnknown = isUnknown;
  }
  return ids;
}

/** The ids of `<0xE2>` and so on; undefined if one is missing. */
export function bytePieces(text: string, vocab: ReadonlyMap<string, number>): number[] | undefined {
  const ids = Array.from(
    new TextEncoder().encode(text),
    (byte) => vocab.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
  );
  return ids.every((id) => id !== undefined) ? ids : undefined;
}

/** Puts a number into a binary heap whose least one comes first. */
function push(heap: number[], value: number): void {
  let at = heap.length;
  for (; at > 0 && heap[(at - 1) >> 1] > value; at = (at - 1) >> 1) heap[at] = heap[(at - 1) >> 1];
  heap[at] = value;
}

function pop(heap: number[]): number {
  const [top] = heap;
  const last = heap.pop()!;
  if (heap.length === 0) return top;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && heap[child + 1] < heap[child]) child++;
    if (heap[child] >= last) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
  return top;
}
