import { EntailError } from "../errors.ts";
import { type CsvRow, readCsv } from "../formats/csv.ts";
import { readJson } from "../formats/json.ts";
import { Mt19937 } from "../random/mt19937.ts";

/** One row of the groundtruth file with the text of its criterion. */
export interface Pair {
  /** Which post. */
  postId: string;
  /** Its text. */
  post: string;
  /** Which criterion. */
  criterionId: string;
  /** Its text. */
  criterion: string;
  /** Other texts of the criterion; absent: none. */
  paraphrases?: readonly string[];
  /** 1 where the post gives evidence for the criterion, else 0. */
  label: 0 | 1;
}

/** A number for the post, or for the criterion, of each pair. */
export function groupNumbers<Key extends "postId" | "criterionId">(
  pairs: readonly Pick<Pair, Key>[],
  key: Key,
): Uint32Array<ArrayBuffer> {
  const numbers = new Map<string, number>();
  return Uint32Array.from(pairs, ({ [key]: id }) => {
    if (!numbers.has(id)) numbers.set(id, numbers.size);
    return numbers.get(id)!;
  });
}

/** The columns of the groundtruth file, in order. */
export const GROUNDTRUTH_COLUMNS = ["post_id", "post", "DSM5_symptom", "groundtruth"] as const;

/** Which files `loadGroundtruth` reads, and how much of them. */
export interface GroundtruthOptions {
  /** CSV: post_id, post, DSM5_symptom, groundtruth. */
  groundtruthCsv: string;
  /** JSON: `{"criteria":[{"id","text"}]}`. */
  criteriaJson: string;
  /** Keep only so many pairs; null or more than there are keeps all. */
  sampleSize?: number | null;
  /** Which ones; null: 0. */
  sampleSeed?: number | null;
}

/** What a criteria file says of a criterion. */
export type CriterionTexts = Pick<Pair, "criterion" | "paraphrases">;

/**
 * Reads `{"criteria":[{"id","text"}]}`, where an entry may have `"paraphrases"`, a list of further texts; by id in file order.
 * Data error naming the file and the entry.
 */
export async function loadCriteria(path: string): Promise<Map<string, CriterionTexts>> {
  const document = await readJson(path) as { criteria?: unknown } | null;
  const list = document?.criteria;
  if (!Array.isArray(list)) throw new EntailError("data", `${path}: expected {"criteria":[{"id":…,"text":…}]}`);
  if (list.length === 0) throw new EntailError("data", `${path}: "criteria" is empty`);
  const criteria = new Map<string, CriterionTexts>();
  list.forEach((entry: { id?: unknown; text?: unknown; paraphrases?: unknown } | null, i) => {
    const { id, text, paraphrases } = entry ?? {};
    if (typeof id !== "string" || id === "") throw new EntailError("data", `${path}: criteria[${i}]: "id" is missing`);
    if (typeof text !== "string" || text.trim() === "") {
      throw new EntailError("data", `${path}: criteria[${i}] (${id}): "text" is missing`);
    }
    if (criteria.has(id)) throw new EntailError("data", `${path}: criteria[${i}]: the id "${id}" is there twice`);
    if (paraphrases === undefined) return criteria.set(id, { criterion: text });
    if (!Array.isArray(paraphrases)) {
      throw new EntailError("data", `${path}: criteria[${i}] (${id}): "paraphrases" is not a list of texts`);
    }
    const empty = paraphrases.findIndex((other) => typeof other !== "string" || other.trim() === "");
    if (empty >= 0) {
      throw new EntailError("data", `${path}: criteria[${i}] (${id}): paraphrases[${empty}] is empty or not a text`);
    }
    criteria.set(id, paraphrases.length === 0 ? { criterion: text } : { criterion: text, paraphrases });
  });
  return criteria;
}

/**
 * Loads the labelled pairs in file order. Data errors name file, line and column: labels other than 0 and 1, unknown
 * criterion ids, empty posts and ids, a (post, criterion) that is there twice, a file without pairs.
 *
 * With `sampleSize` the pairs are the ones that pandas' `sample(n=sampleSize, random_state=sampleSeed)` takes, but
 * still in file order.
 */
export async function loadGroundtruth(options: GroundtruthOptions): Promise<Pair[]> {
  const { groundtruthCsv, criteriaJson, sampleSize, sampleSeed } = options;
  const criteria = await loadCriteria(criteriaJson);
  const { rows } = await readCsv(groundtruthCsv, GROUNDTRUTH_COLUMNS);
  const pairs = await toPairs(rows, criteria, criteriaJson);
  if (pairs.length === 0) throw new EntailError("data", `${groundtruthCsv}: has a header but no rows`);
  return sampleSize == null ? pairs : samplePairs(pairs, sampleSize, sampleSeed ?? 0);
}

async function toPairs(
  rows: AsyncIterable<CsvRow>,
  criteria: Map<string, CriterionTexts>,
  criteriaJson: string,
): Promise<Pair[]> {
  const lines = new Map<string, number>();
  const pairs: Pair[] = [];
  for await (const { line, values, at } of rows) {
    const { post_id: postId, DSM5_symptom: criterionId, groundtruth } = values;
    // The pairs of a post follow each other: one copy of its text is enough.
    const post = pairs.at(-1)?.post === values.post ? pairs.at(-1)!.post : values.post;
    const fail = (column: string, reason: string): never => {
      throw new EntailError("data", `${at(column)}: ${reason}`);
    };
    if (postId === "") fail("post_id", "post_id is empty");
    if (post.trim() === "") fail("post", "the post is empty");
    const texts = criteria.get(criterionId) ??
      fail("DSM5_symptom", `criterion "${criterionId}" is not in ${criteriaJson} (${[...criteria.keys()].join(", ")})`);
    if (groundtruth !== "0" && groundtruth !== "1") {
      fail("groundtruth", `groundtruth is "${groundtruth}", it must be 0 or 1`);
    }
    const key = JSON.stringify([postId, criterionId]);
    const first = lines.get(key);
    if (first !== undefined) {
      fail("post_id", `post ${postId} with criterion ${criterionId} is already on line ${first}, remove one`);
    }
    lines.set(key, line);
    pairs.push({ postId, post, criterionId, ...texts, label: groundtruth === "1" ? 1 : 0 });
  }
  return pairs;
}

/** The first `size` of a seeded permutation of the pairs, put back into file order. */
function samplePairs(pairs: Pair[], size: number, seed: number): Pair[] {
  if (!Number.isInteger(size) || size < 1) {
    throw new EntailError("usage", `data.sample_size: must be a positive integer or null, not ${size}`);
  }
  if (size >= pairs.length) return pairs;
  const order = Array.from(pairs, (_, i) => i);
  new Mt19937(seed).shuffle(order);
  return order.slice(0, size).sort((a, b) => a - b).map((i) => pairs[i]);
}
