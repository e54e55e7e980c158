import { EntailError } from "../errors.ts";
import type { PairLimits, PairTokenizer } from "./tokenizer.ts";
import { loadTokenizer } from "./tokenizer.ts";
import type { TokenizeJob, TokenizeReply } from "./tokenize_messages.ts";

// One tokenizing thread: the first message names the folder and the limits, each later one holds a job.

/** This thread, by what it uses of a worker's global scope: packages may not name that library of types. */
const thread = globalThis as unknown as {
  onmessage: (event: MessageEvent<{ folder: string; limits: PairLimits } | TokenizeJob>) => void;
  postMessage(message: unknown, transfer?: Transferable[]): void;
};

let tokenizer: Promise<PairTokenizer> | undefined;
let limits: PairLimits;

thread.onmessage = async ({ data }) => {
  try {
    if ("folder" in data) {
      limits = data.limits;
      tokenizer = loadTokenizer(data.folder);
      // The jobs report a failure; without a handler of its own it would end the thread first.
      tokenizer.catch(() => {});
      return;
    }
    const reply = encodeJob(await tokenizer!, data);
    const { ids, typeIds, lengths, counts, lost } = reply;
    thread.postMessage(reply, [ids, typeIds, lengths, counts, lost].map(({ buffer }) => buffer));
  } catch (error) {
    const kind = error instanceof EntailError ? error.kind : undefined;
    thread.postMessage({ kind, message: error instanceof Error ? error.message : String(error) });
  }
};

function encodeJob(pairTokenizer: PairTokenizer, { job, posts, criteria }: TokenizeJob): TokenizeReply {
  const encoded = posts.flatMap((post, i) =>
    criteria[i].map((criterion) => pairTokenizer.encodePair(post, criterion, limits))
  );
  const chunks = encoded.flatMap((pair) => pair.chunks);
  const lengths = Uint32Array.from(chunks, ({ ids }) => ids.length);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const ids = new Uint32Array(total);
  const typeIds = new Uint8Array(total);
  let start = 0;
  for (const chunk of chunks) {
    ids.set(chunk.ids, start);
    typeIds.set(chunk.typeIds, start);
    start += chunk.ids.length;
  }
  const counts = Uint32Array.from(encoded, (pair) => pair.chunks.length);
  return { job, ids, typeIds, lengths, counts, lost: Uint32Array.from(encoded, ({ lost }) => lost) };
}
