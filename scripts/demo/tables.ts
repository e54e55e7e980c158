/** The generated data as the text of its files. */
import { stringify } from "../../src/packages/csv_stringify.ts";
import { CRITERIA } from "./expressions.ts";
import type { Distraction } from "./frames.ts";
import type { Pair, Post } from "./posts.ts";

const EXPLANATIONS: Record<Distraction, string> = {
  negation: "The writer says that it is not so.",
  other: "This is about somebody else.",
  past: "This was so in the past and is over.",
  figurative: "The words are used for something else.",
};

/** `post_id,text`. */
export function postsCsv(posts: Post[]): string {
  return stringify(posts.map((post) => [post.id, post.text]), { header: true, columns: ["post_id", "text"] });
}

/** ReDSM5's annotations: status 1 for evidence, 0 for a sentence that only mentions the symptom. */
export function annotationsCsv(posts: Post[]): string {
  const rows: string[][] = [];
  for (const post of posts) {
    for (const [index, sentence] of post.sentences.entries()) {
      const start = [post.id, `${post.id}_${index + 1}`, sentence.text];
      for (const criterion of sentence.evidence) {
        rows.push([
          ...start,
          CRITERIA[criterion].symptom,
          "1",
          "The writer reports it as their own and current state.",
        ]);
      }
      for (const { criterion, reason } of sentence.mentions) {
        rows.push([...start, CRITERIA[criterion].symptom, "0", EXPLANATIONS[reason]]);
      }
    }
  }
  const columns = ["post_id", "sentence_id", "sentence_text", "DSM5_symptom", "status", "explanation"];
  return stringify(rows, { header: true, columns });
}

/** `post_id,post,DSM5_symptom,groundtruth`. */
export function groundtruthCsv(pairs: Pair[]): string {
  const rows = pairs.map(({ post, criterion, label }) => [post.id, post.text, CRITERIA[criterion].id, String(label)]);
  return stringify(rows, { header: true, columns: ["post_id", "post", "DSM5_symptom", "groundtruth"] });
}

/** `{"criteria":[{"id","text"}]}`. */
export function criteriaJson(): string {
  return JSON.stringify({ criteria: CRITERIA.map(({ id, text }) => ({ id, text })) }, null, 2) + "\n";
}
