/** `prepare`: the groundtruth file from raw ReDSM5 files. */
import { notVerbatimText } from "../dataset/evidence_spans.ts";
import { prepare as build } from "../dataset/prepare.ts";
import { isStdout } from "../formats/atomic_write.ts";
import { resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { say } from "./say.ts";
import { printTable } from "./terminal.ts";

export async function prepare(
  overrides: string[],
  options: CommonOptions & { posts: string; annotations: string; criteria: string; output: string },
): Promise<void> {
  if (!resolveConfig(overrides, options)) return;
  const summary = await build({
    postsCsv: options.posts,
    annotationsCsv: options.annotations,
    criteriaJson: options.criteria,
    outputCsv: options.output,
  });
  const notVerbatim = notVerbatimText(summary.evidence);
  if (notVerbatim !== null) say(`${options.annotations}: ${notVerbatim}`);
  if (options.quiet || isStdout(options.output)) return;
  printTable(
    ["criterion", "positive pairs"],
    [...summary.positivesPerCriterion].map(([id, count]) => [id, `${count}`]),
  );
  const share = (100 * summary.positives / summary.pairs).toFixed(1);
  console.log(
    `${summary.posts} posts, ${summary.pairs} pairs, ${summary.positives} positive (${share} %) in ${options.output}`,
  );
}
