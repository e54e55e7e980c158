import { EntailError } from "../errors.ts";
import { writePiecesAtomic } from "../formats/atomic_write.ts";
import { formatCsv, readCsv } from "../formats/csv.ts";
import { type EvidenceCounts, findSentence } from "./evidence_spans.ts";
import { GROUNDTRUTH_COLUMNS, loadCriteria } from "./groundtruth.ts";

/** ReDSM5's symptom names in the order of their criteria, A.1 to A.9. */
export const SYMPTOMS = [
  "DEPRESSED_MOOD",
  "ANHEDONIA",
  "APPETITE_CHANGE",
  "SLEEP_ISSUES",
  "PSYCHOMOTOR",
  "FATIGUE",
  "WORTHLESSNESS",
  "COGNITIVE_ISSUES",
  "SUICIDAL_THOUGHTS",
] as const;

/** An annotation that speaks of no criterion; it is read and left out. */
export const SPECIAL_CASE = "SPECIAL_CASE";

const POST_COLUMNS = ["post_id", "text"] as const;
const ANNOTATION_COLUMNS = ["post_id", "sentence_id", "sentence_text", "DSM5_symptom", "status"] as const;

/** One annotated sentence. */
export interface Annotation {
  postId: string;
  sentenceId: string;
  sentence: string;
  /** `A.1` … `A.9`, or null for SPECIAL_CASE. */
  criterionId: string | null;
  /** Whether the sentence says that the symptom is there. */
  present: boolean;
}

/** The files that `prepare` reads and writes. */
export interface PrepareOptions {
  /** CSV: post_id, text. */
  postsCsv: string;
  /** CSV: post_id, sentence_id, sentence_text, DSM5_symptom, status, explanation. */
  annotationsCsv: string;
  /** JSON: id and text of each criterion. */
  criteriaJson: string;
  /** Where the groundtruth goes. */
  outputCsv: string;
}

/** What `prepare` read and wrote. */
export interface PrepareSummary {
  /** Posts. */
  posts: number;
  /** Pairs of a post and a criterion. */
  pairs: number;
  /** Those with evidence. */
  positives: number;
  /** Annotated sentences. */
  annotations: number;
  /** Those of SPECIAL_CASE, which is no criterion. */
  specialCases: number;
  /** How the sentences that say that a symptom is there were found in their posts. */
  evidence: EvidenceCounts;
  /** Positive pairs of each criterion. */
  positivesPerCriterion: Map<string, number>;
}

/** The posts, id → text, in file order. */
export async function loadPosts(path: string): Promise<Map<string, string>> {
  const { rows } = await readCsv(path, POST_COLUMNS);
  const posts = new Map<string, string>();
  for await (const { values, at } of rows) {
    const { post_id: id, text } = values;
    if (id === "") throw new EntailError("data", `${at("post_id")}: post_id is empty`);
    if (text.trim() === "") throw new EntailError("data", `${at("text")}: the post is empty`);
    if (posts.has(id)) throw new EntailError("data", `${at("post_id")}: post ${id} is there twice`);
    posts.set(id, text);
  }
  if (posts.size === 0) throw new EntailError("data", `${path}: has a header but no rows`);
  return posts;
}

/**
 * The annotations in file order. Data error with file, line and column for an unknown symptom, a status other than 0
 * and 1, and, where `knownPosts` is given, a post that is not among them.
 */
export async function loadAnnotations(
  path: string,
  knownPosts?: { has(id: string): boolean },
): Promise<Annotation[]> {
  const { rows } = await readCsv(path, ANNOTATION_COLUMNS);
  return await Array.fromAsync(rows, ({ values, at }) => {
    const { post_id: postId, sentence_id: sentenceId, sentence_text: sentence, DSM5_symptom: symptom, status } = values;
    const fail = (column: string, reason: string): never => {
      throw new EntailError("data", `${at(column)}: ${reason}`);
    };
    if (knownPosts && !knownPosts.has(postId)) fail("post_id", `post "${postId}" is not in the posts file`);
    const index = (SYMPTOMS as readonly string[]).indexOf(symptom);
    if (index < 0 && symptom !== SPECIAL_CASE) {
      fail("DSM5_symptom", `unknown symptom "${symptom}", expected one of ${SYMPTOMS.join(", ")}, ${SPECIAL_CASE}`);
    }
    if (status !== "0" && status !== "1") fail("status", `status is "${status}", it must be 0 or 1`);
    return { postId, sentenceId, sentence, criterionId: index < 0 ? null : `A.${index + 1}`, present: status === "1" };
  });
}

/**
 * Builds the groundtruth file from raw ReDSM5 files: a row for every post and criterion of the criteria file, labelled
 * 1 if any sentence of the post has status 1 for it. Several such sentences are still one row. Written atomically.
 */
export async function prepare(options: PrepareOptions): Promise<PrepareSummary> {
  const criteria = await loadCriteria(options.criteriaJson);
  const posts = await loadPosts(options.postsCsv);
  const annotations = await loadAnnotations(options.annotationsCsv, posts);
  const positive = new Set<string>();
  const evidence: EvidenceCounts = { verbatim: 0, aligned: 0, missing: 0 };
  for (const { postId, criterionId, sentence, present } of annotations) {
    if (criterionId === null || !present) continue;
    if (!criteria.has(criterionId)) {
      throw new EntailError(
        "data",
        `${options.criteriaJson}: criterion "${criterionId}" is missing, it has annotations`,
      );
    }
    positive.add(JSON.stringify([postId, criterionId]));
    const place = findSentence(posts.get(postId)!, sentence);
    evidence[place?.how ?? "missing"]++;
  }
  const positivesPerCriterion = new Map([...criteria.keys()].map((id) => [id, 0]));
  const pieces = function* () {
    yield formatCsv([GROUNDTRUTH_COLUMNS]);
    for (const [postId, post] of posts) {
      for (const id of criteria.keys()) {
        const label = positive.has(JSON.stringify([postId, id])) ? 1 : 0;
        positivesPerCriterion.set(id, positivesPerCriterion.get(id)! + label);
        yield formatCsv([[postId, post, id, label]]);
      }
    }
  };
  await writePiecesAtomic(options.outputCsv, pieces());
  return {
    posts: posts.size,
    pairs: posts.size * criteria.size,
    positives: positive.size,
    annotations: annotations.length,
    evidence,
    specialCases: annotations.filter(({ criterionId }) => criterionId === null).length,
    positivesPerCriterion,
  };
}
