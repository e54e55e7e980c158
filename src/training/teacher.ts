/**
 * What a teacher says of the pairs that a loss learns from: soft labels or scores, in columns of the groundtruth file or in
 * a file of their own, such as `predict` writes.
 */
import { extname } from "node:path";
import type { Config } from "../config/schema.ts";
import type { Pair } from "../dataset/groundtruth.ts";
import { EntailError } from "../errors.ts";
import { readCsv } from "../formats/csv.ts";
import { parseJson } from "../formats/json.ts";
import { readLines, readTextPieces } from "../formats/text.ts";
import { positiveLogit } from "../nn/loss.ts";
import { LOSSES } from "./losses.ts";

/** A record of a file. */
interface TeacherRecord {
  line: number;
  /** Text in CSV, whatever there is in JSON; undefined: it has no such field. */
  field(name: string): unknown;
  /** Throws a data error that names the place of a field. */
  fail(name: string, reason: string): never;
}

/** Which file a configuration's loss learns from; null: from none. */
export function teacherFile({ data, model }: Pick<Config, "data" | "model">): string | null {
  return LOSSES[model.loss_type].teaching ? data.teacher_scores ?? data.groundtruth_csv : null;
}

/**
 * The teacher's score of each pair, log-odds of its positive class, as the configuration's loss reads them; null where that
 * learns from none. Infinite ones are for losses that read soft labels. Data errors name the line of a record, or the pair
 * that has none; records of other pairs are passed over.
 */
export async function loadTeacher(
  config: Pick<Config, "data" | "model">,
  pairs: readonly Pair[],
): Promise<Float64Array | null> {
  const file = teacherFile(config);
  if (file === null) return null;
  const { reads } = LOSSES[config.model.loss_type].teaching!;
  const indices = pairs.map((_, index) => index);
  const byId = Map.groupBy(indices, (index) => pairs[index].postId);
  const byText = Map.groupBy(indices, (index) => pairs[index].post);
  const scores = new Float64Array(pairs.length).fill(NaN);
  const lines = new Uint32Array(pairs.length);
  for await (const record of readRecords(file)) {
    const postId = textOf(record, "post_id");
    const candidates = postId === undefined ? byText.get(needed(record, "post", "post_id")) : byId.get(postId);
    const criterionId = textOf(record, "DSM5_symptom");
    const criterion = criterionId ?? needed(record, "criterion", "DSM5_symptom");
    const key = criterionId === undefined ? "criterion" : "criterionId";
    for (const index of candidates ?? []) {
      if (pairs[index][key] !== criterion) continue;
      const score = scoreOf(record, reads);
      if (lines[index] > 0 && !Object.is(scores[index], score)) {
        const { postId, criterionId } = pairs[index];
        record.fail(
          "post_id",
          `post ${postId} with criterion ${criterionId} has another score on line ${lines[index]}`,
        );
      }
      scores[index] = score;
      lines[index] = record.line;
    }
  }
  const missing = indices.filter((index) => lines[index] === 0);
  if (missing.length === 0) return scores;
  const { postId, criterionId } = pairs[missing[0]];
  const others = missing.length === 1 ? "" : `, nor of ${missing.length - 1} more pairs`;
  throw new EntailError("data", `${file}: has no score of post ${postId} with criterion ${criterionId}${others}`);
}

/** The records of a file: CSV where its name ends so, else JSON lines. */
async function* readRecords(file: string): AsyncGenerator<TeacherRecord> {
  if (extname(file).toLowerCase() === ".csv") {
    const { rows } = await readCsv(file, []);
    for await (const { line, values, at } of rows) {
      yield { line, field: (name) => values[name], fail: (name, reason) => refuse(at(name), reason) };
    }
    return;
  }
  for await (const { line, text } of readLines(readTextPieces(file), file)) {
    if (text.trim() === "") continue;
    const object = parseJson(text, file, line);
    if (typeof object !== "object" || object === null) {
      refuse(`${file}:${line}`, "expected an object, as predict writes");
    }
    const values = new Map(Object.entries(object as object));
    yield { line, field: (name) => values.get(name), fail: (_, reason) => refuse(`${file}:${line}`, reason) };
  }
}

function refuse(place: string, reason: string): never {
  throw new EntailError("data", `${place}: ${reason}`);
}

function textOf(record: TeacherRecord, name: string): string | undefined {
  const value = record.field(name);
  if (value === undefined || typeof value === "string") return value;
  return typeof value === "number" ? `${value}` : record.fail(name, `${name} is not a text`);
}

const needed = (record: TeacherRecord, name: string, better: string): string =>
  textOf(record, name) ?? record.fail(name, `has neither ${better} nor ${name}`);

/** Log-odds of the positive class; finite where `reads` is "teacher_score". */
function scoreOf(record: TeacherRecord, reads: "soft_label" | "teacher_score"): number {
  const order = reads === "soft_label" ? ["soft_label", "teacher_score"] : ["teacher_score", "soft_label"];
  const name = [...order, "logits", "probability"].find((name) => record.field(name) !== undefined);
  if (name === undefined) {
    record.fail(
      "",
      "has none of teacher_score, soft_label, logits and probability; data.teacher_scores names a file that has",
    );
  }
  // The logits of a post in chunks are those of one of them, and those of a calibrated model are not calibrated.
  const isWhole = record.field("chunks") === undefined && record.field("prediction") === undefined;
  const read = name === "logits" && !isWhole ? "probability" : name;
  const score = read === "teacher_score"
    ? numberOf(record, read)
    : read === "logits"
    ? positiveLogit(logitsOf(record))
    : logOdds(record, read);
  if (reads === "teacher_score" && !Number.isFinite(Math.fround(score))) {
    record.fail(
      read,
      `${read} is ${record.field(read)}, whose score is not finite; a loss of scores needs teacher_score`,
    );
  }
  return score;
}

function numberOf(record: TeacherRecord, name: string): number {
  const value = record.field(name);
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "number" && Number.isFinite(number)) return number;
  return record.fail(
    name,
    value === "" ? `${name} is empty` : `${name} is ${JSON.stringify(value)}, not a finite number`,
  );
}

function logOdds(record: TeacherRecord, name: string): number {
  const probability = numberOf(record, name);
  if (probability < 0 || probability > 1) record.fail(name, `${name} is ${probability}, it must be in [0, 1]`);
  return Math.log(probability) - Math.log1p(-probability);
}

/** One or two finite numbers, which CSV has as a JSON list. */
function logitsOf(record: TeacherRecord): number[] {
  const value = record.field("logits");
  try {
    const logits: unknown = typeof value === "string" ? JSON.parse(value) : value;
    if (Array.isArray(logits) && [1, 2].includes(logits.length) && logits.every(Number.isFinite)) return logits;
  } catch {
    // Not a list either.
  }
  return record.fail("logits", "logits are not a list of one or two finite numbers");
}
