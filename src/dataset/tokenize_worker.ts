/// <reference lib="deno.worker" />
import { EntailError } from "../errors.ts";
import type { PairTokenizer } from "./tokenizer.ts";
import { loadTokenizer } from "./tokenizer.ts";
import type { TokenizeJob, TokenizeReply } from "./tokenize_messages.ts";

// One tokenizing thread: the first message names the folder and the length, each later one holds a job.

let tokenizer: Promise<PairTokenizer> | undefined;
let maxLength = 0;

self.onmessage = async ({ data }: MessageEvent<{ folder: string; maxLength: number } | TokenizeJob>) => {
  try {
    if ("folder" in data) {
      maxLength = data.maxLength;
      tokenizer = loadTokenizer(data.folder);
      // The jobs report a failure; without a handler of its own it would end the thread first.
      tokenizer.catch(() => {});
      return;
    }
    const reply = encodeJob(await tokenizer!, data);
    self.postMessage(reply, [reply.ids.buffer, reply.typeIds.buffer, reply.lengths.buffer]);
  } catch (error) {
    const kind = error instanceof EntailError ? error.kind : undefined;
    self.postMessage({ kind, message: error instanceof Error ? error.message : String(error) });
  }
};

function encodeJob(pairTokenizer: PairTokenizer, { job, posts, criteria }: TokenizeJob): TokenizeReply {
  const encoded = posts.flatMap((post, i) =>
    criteria[i].map((criterion) => pairTokenizer.encodePair(post, criterion, maxLength))
  );
  const lengths = Uint32Array.from(encoded, ({ ids }) => ids.length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const ids = new Uint32Array(total);
  const typeIds = new Uint8Array(total);
  let start = 0;
  for (const pair of encoded) {
    ids.set(pair.ids, start);
    typeIds.set(pair.typeIds, start);
    start += pair.ids.length;
  }
  return { job, ids, typeIds, lengths };
}
