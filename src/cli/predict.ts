/** `predict`: scores pairs from JSON lines or CSV, keeping their other fields. */
import { stringify } from "csv-stringify/sync";
import { extname } from "node:path";
import { openScorer, scoreTexts, type TextPair } from "../training/scorer.ts";
import { EntailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { parseCsv } from "../formats/csv.ts";
import { parseJson } from "../formats/json.ts";
import { decodeUtf8, readError } from "../formats/text.ts";
import { openConfiguredGpu, resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { createReporter } from "./terminal.ts";

interface PredictOptions extends CommonOptions {
  checkpoint: string;
  input: string;
  output: string;
}

type Score = { logits: number[]; probability: number };

/** Records of one format: the pairs, and the output text once they have scores. */
interface Records {
  pairs: TextPair[];
  render(scores: readonly Score[]): string;
}

export async function predict(overrides: string[], options: PredictOptions, signal: AbortSignal): Promise<void> {
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const { checkpoint, input, output } = options;
  const text = await readInput(input);
  const format = extname(input).toLowerCase() === ".csv" || (input === "-" && !/^\s*(\{|$)/.test(text))
    ? parseRows
    : parseLines;
  const records = format(text, input === "-" ? "stdin" : input);
  const explicit = overrides.some((override) => /^\+{0,2}data\.max_length=/.test(override));
  const gpu = await openConfiguredGpu(config);
  const reporter = createReporter(options);
  try {
    const scorer = await openScorer(gpu, checkpoint, {
      maxLength: explicit ? config.data.max_length : undefined,
      batchSize: config.training.eval_batch_size,
      numWorkers: config.training.num_workers,
    });
    const scores = await scoreTexts(scorer, records.pairs, {
      signal,
      onProgress: (done) => reporter.progress("scoring", done, records.pairs.length),
    });
    reporter.close();
    const rendered = records.render(scores);
    if (output === "-") await writeStdout(rendered);
    else await writeFileAtomic(output, rendered);
    scorer.release();
  } finally {
    reporter.close();
    gpu.close();
  }
}

async function readInput(input: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = input === "-"
      ? new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer())
      : await Deno.readFile(input);
  } catch (error) {
    throw readError(error, input);
  }
  return decodeUtf8(bytes, input).replace(/^\uFEFF/, "");
}

async function writeStdout(text: string): Promise<void> {
  await new Blob([text]).stream().pipeTo(Deno.stdout.writable, { preventClose: true });
}

/** JSON lines; empty ones are passed over. */
function parseLines(text: string, name: string): Records {
  const objects = text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === "") return [];
    const at = `${name}:${index + 1}`;
    const object = parseJson(line, at) as Record<string, unknown> | null;
    if (typeof object !== "object" || object === null || Array.isArray(object)) {
      throw new EntailError("data", `${at}: expected an object {"post": …, "criterion": …}`);
    }
    for (const field of ["post", "criterion"]) {
      if (typeof object[field] !== "string") {
        throw new EntailError("data", `${at}: "${field}" is missing or not a text`);
      }
    }
    return [object as Record<string, unknown> & TextPair];
  });
  return {
    pairs: objects,
    render: (scores) => objects.map((object, i) => JSON.stringify({ ...object, ...scores[i] }) + "\n").join(""),
  };
}

/** CSV with a header; logits become a JSON list in a column. */
function parseRows(text: string, name: string): Records {
  const { columns, rows } = parseCsv(text, name, ["post", "criterion"]);
  return {
    pairs: rows.map(({ values }) => ({ post: values.post, criterion: values.criterion })),
    render(scores) {
      const kept = columns.filter((column) => column !== "logits" && column !== "probability");
      const records = rows.map(({ values }, i) => [
        ...kept.map((column) => values[column]),
        JSON.stringify(scores[i].logits),
        scores[i].probability,
      ]);
      return stringify([[...kept, "logits", "probability"], ...records]);
    },
  };
}
