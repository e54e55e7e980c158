import { mixSeeds } from "../random/mix.ts";
import { Mt19937 } from "../random/mt19937.ts";

/** How many batches' worth of pairs are sorted by length together. */
const MEGA_BATCH = 32;

export interface EpochOptions {
  /** Tokens of each pair. */
  lengths: ArrayLike<number>;
  batchSize: number;
  shuffle: boolean;
  seed: number;
  /** From 0; every epoch has an order of its own. */
  epoch: number;
}

/** A post, or a chunk of it, with its criterion: token ids with special tokens, and the segment of each token. */
export interface TokenizedPair {
  ids: Uint32Array<ArrayBuffer>;
  typeIds: Uint8Array<ArrayBuffer>;
}

/** A pair as the sequences that a model reads: one, or several where its post is cut into chunks. */
export interface EncodedPair {
  chunks: TokenizedPair[];
  /** Tokens of the post that are in none of them. */
  lost: number;
}

/** A batch without padding: the tokens of its pairs one after another. S sequences, T tokens, U distinct ids. */
export interface PackedBatch {
  sequences: number;
  tokens: number;
  /** Length of the longest sequence. */
  maxLength: number;
  /** [T] */
  ids: Uint32Array<ArrayBuffer>;
  /** [T] */
  typeIds: Uint32Array<ArrayBuffer>;
  /** [S+1] first token of each sequence, then T. */
  offsets: Uint32Array<ArrayBuffer>;
  /** [T] position of a token in its sequence. */
  positions: Uint32Array<ArrayBuffer>;
  /** [T] sequence of a token. */
  sequenceOfToken: Uint32Array<ArrayBuffer>;
  /** [U] the distinct ids, ascending. */
  sortedUnique: Uint32Array<ArrayBuffer>;
  /** [U+1] where the tokens of each distinct id begin in `tokenOrder`, then T. */
  segmentStart: Uint32Array<ArrayBuffer>;
  /** [T] the tokens sorted by (id, place in the batch): the order in which embedding gradients are summed. */
  tokenOrder: Uint32Array<ArrayBuffer>;
}

/**
 * The batches of an epoch as indices of pairs; every pair is in exactly one, the last batch may be smaller.
 * Without `shuffle` in file order. With it, a permutation from (seed, epoch) is cut into stretches of 32 batches, each
 * sorted by length and cut into batches, and the order of the batches is shuffled: batches of like lengths, in an
 * order that has nothing to do with length. The smaller batch, if there is one, stays last.
 */
export function epochBatches({ lengths, batchSize, shuffle, seed, epoch }: EpochOptions): number[][] {
  const order = Array.from({ length: lengths.length }, (_, i) => i);
  if (!shuffle) return cut(order, batchSize);
  const random = new Mt19937(mixSeeds(seed, epoch));
  random.shuffle(order);
  // The pairs of the smaller batch are taken off first, so that they are a random choice, not the longest ones.
  const full = order.length - order.length % batchSize;
  const rest = order.slice(full);
  const batches = cut(order.slice(0, full), batchSize * MEGA_BATCH).flatMap((stretch) => {
    // A stable sort: pairs of one length stay in shuffled order.
    return cut(stretch.sort((a, b) => lengths[a] - lengths[b]), batchSize);
  });
  random.shuffle(batches);
  return rest.length > 0 ? [...batches, rest] : batches;
}

/**
 * Deals the sequences of an optimizer step into few micro-batches of at most `budget` tokens: first fit, the longest first;
 * in each they stay in the order of `members`. Those of one number in `together` stay in one where they fit into it.
 */
export function dealByTokens(
  members: readonly number[],
  lengths: ArrayLike<number>,
  budget: number,
  together?: ArrayLike<number>,
): number[][] {
  const tokensOf = (some: readonly number[]) => some.reduce((sum, member) => sum + lengths[member], 0);
  const groups = new Map<number, number[]>();
  for (const member of members) {
    const key = together ? together[member] : member;
    groups.set(key, [...groups.get(key) ?? [], member]);
  }
  const pieces = [...groups.values()].flatMap((group) =>
    group.length > 1 && tokensOf(group) > budget ? dealByTokens(group, lengths, budget) : [group]
  );
  const dealt: { room: number; members: Set<number> }[] = [];
  for (const piece of pieces.sort((a, b) => tokensOf(b) - tokensOf(a))) {
    const tokens = tokensOf(piece);
    let batch = dealt.find(({ room }) => tokens <= room);
    if (!batch) dealt.push(batch = { room: budget, members: new Set() });
    batch.room -= tokens;
    for (const member of piece) batch.members.add(member);
  }
  return dealt.map((batch) => members.filter((member) => batch.members.has(member)));
}

/** Puts the pairs with the given indices one after another, with what the kernels need to know about the tokens. */
export function packBatch(pairs: readonly TokenizedPair[], indices: readonly number[]): PackedBatch {
  const sequences = indices.length;
  const offsets = new Uint32Array(sequences + 1);
  let maxLength = 0;
  indices.forEach((index, s) => {
    const length = pairs[index].ids.length;
    offsets[s + 1] = offsets[s] + length;
    maxLength = Math.max(maxLength, length);
  });
  const tokens = offsets[sequences];
  const ids = new Uint32Array(tokens);
  const typeIds = new Uint32Array(tokens);
  const positions = new Uint32Array(tokens);
  const sequenceOfToken = new Uint32Array(tokens);
  indices.forEach((index, s) => {
    const start = offsets[s];
    ids.set(pairs[index].ids, start);
    typeIds.set(pairs[index].typeIds, start);
    for (let t = start; t < offsets[s + 1]; t++) positions[t] = t - start;
    sequenceOfToken.fill(s, start, offsets[s + 1]);
  });
  return {
    sequences,
    tokens,
    maxLength,
    ids,
    typeIds,
    offsets,
    positions,
    sequenceOfToken,
    ...groupTokens(ids),
  };
}

function groupTokens(ids: Uint32Array): Pick<PackedBatch, "sortedUnique" | "segmentStart" | "tokenOrder"> {
  // Sorting id · T + place as doubles needs no comparison function and is exact below 2⁵³.
  const keys = new Float64Array(ids.length);
  for (let t = 0; t < ids.length; t++) keys[t] = ids[t] * ids.length + t;
  keys.sort();
  const tokenOrder = new Uint32Array(ids.length);
  const unique: number[] = [];
  const starts: number[] = [];
  for (let t = 0; t < keys.length; t++) {
    tokenOrder[t] = keys[t] % ids.length;
    const id = ids[tokenOrder[t]];
    if (unique.length === 0 || id !== unique[unique.length - 1]) {
      unique.push(id);
      starts.push(t);
    }
  }
  starts.push(ids.length);
  return { sortedUnique: Uint32Array.from(unique), segmentStart: Uint32Array.from(starts), tokenOrder };
}

function cut(order: number[], size: number): number[][] {
  const parts: number[][] = [];
  for (let start = 0; start < order.length; start += size) parts.push(order.slice(start, start + size));
  return parts;
}
