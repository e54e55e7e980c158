import { EntailError, type ErrorKind } from "../errors.ts";
import type { EncodedPair } from "./batches.ts";
import type { TokenizeJob, TokenizeReply } from "./tokenize_messages.ts";
import { loadTokenizer, type PairLimits } from "./tokenizer.ts";

export interface TokenizeOptions extends PairLimits {
  /** The Hugging Face folder with tokenizer.json. */
  folder: string;
  /** Threads; 0 is this one. By default as many as there are cores, at most 4. */
  numWorkers?: number | null;
  /** Called with the number of pairs done and of all pairs. */
  onProgress?: (done: number, total: number) => void;
}

/** Tokenizing threads that stay: they load the tokenizer once. */
export interface TokenizerPool {
  /** Tokens in the order of `pairs`. One call at a time; a later one waits. */
  encode(
    pairs: readonly { post: string; criterion: string }[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<EncodedPair[]>;
  /** Ends the threads; a call under way never returns. */
  close(): void;
}

/** Posts of a job: enough to be worth a message, few enough to spread evenly. */
const POSTS_PER_JOB = 64;

/** Jobs that a thread has before it: this one may be waiting for the device when one is done. */
const JOBS_AHEAD = 8;

interface PlannedJob extends TokenizeJob {
  /** The pairs of each post, as places in the input. */
  places: number[][];
}

/**
 * Tokenizes all pairs, each post once for all of its criteria; the result is in the order of `pairs` and does not
 * depend on the number of workers. A compiled binary must include `tokenize_worker.ts`.
 */
export async function tokenizePairs(
  pairs: readonly { post: string; criterion: string }[],
  { onProgress, ...options }: TokenizeOptions,
): Promise<EncodedPair[]> {
  const pool = openTokenizing(options);
  try {
    return await pool.encode(pairs, onProgress);
  } finally {
    pool.close();
  }
}

/** A pool that has as many threads as the largest call so far was worth. */
export function openTokenizing(options: Omit<TokenizeOptions, "onProgress">): TokenizerPool {
  let pool: TokenizerPool | undefined;
  let threads = 0;
  return {
    async encode(pairs, onProgress) {
      const wanted = threadsFor(pairs, options.numWorkers);
      if (!pool || wanted > threads) {
        pool?.close();
        pool = openTokenizerPool(options, threads = wanted);
      }
      return await pool.encode(pairs, onProgress);
    },
    close: () => pool?.close(),
  };
}

function threadsFor(pairs: readonly { post: string }[], numWorkers: TokenizeOptions["numWorkers"]): number {
  const wanted = numWorkers ?? Math.min(navigator.hardwareConcurrency, 4);
  if (!Number.isInteger(wanted) || wanted < 0) {
    throw new EntailError("usage", `training.num_workers: must be an integer of at least 0, not ${wanted}`);
  }
  const jobs = new Set(pairs.map(({ post }) => post)).size / POSTS_PER_JOB;
  // A single job would only wait for a thread to start.
  return jobs <= 1 ? 0 : Math.min(wanted, Math.ceil(jobs));
}

/** Starts `numWorkers` threads; with 0 the work is done in this one. */
export function openTokenizerPool(
  options: PairLimits & Pick<TokenizeOptions, "folder">,
  numWorkers: number,
): TokenizerPool {
  const workers = Array.from({ length: numWorkers }, () => startWorker(options));
  let local: ReturnType<typeof loadTokenizer> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function encode(
    pairs: readonly { post: string; criterion: string }[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<EncodedPair[]> {
    const jobs = planJobs(pairs);
    const results = new Array<EncodedPair>(pairs.length);
    let done = 0;
    const advance = (count: number): void => {
      done += count;
      onProgress?.(done, pairs.length);
    };
    if (numWorkers === 0) {
      const tokenizer = await (local ??= loadTokenizer(options.folder));
      for (const { posts, criteria, places } of jobs) {
        posts.forEach((post, i) =>
          criteria[i].forEach((criterion, k) => {
            results[places[i][k]] = tokenizer.encodePair(post, criterion, options);
          })
        );
        advance(places.flat().length);
      }
      return results;
    }
    const queue = [...jobs].reverse();
    const ahead = Math.min(JOBS_AHEAD, Math.ceil(jobs.length / numWorkers));
    await Promise.all(workers.map((worker) =>
      runWorker(worker, { queue, ahead }, (reply) => {
        const places = jobs[reply.job].places.flat();
        const encoded = decodeReply(reply);
        places.forEach((place, i) => results[place] = encoded[i]);
        advance(places.length);
      })
    ));
    return results;
  }

  return {
    encode(pairs, onProgress) {
      const result = last.then(() => encode(pairs, onProgress));
      last = result.catch(() => {});
      return result;
    },
    close: () => workers.forEach((worker) => worker.terminate()),
  };
}

/** Groups the pairs by post, in order of first appearance, and the posts into jobs. */
function planJobs(pairs: readonly { post: string; criterion: string }[]): PlannedJob[] {
  const placesOfPost = new Map<string, number[]>();
  pairs.forEach(({ post }, place) => {
    const places = placesOfPost.get(post);
    if (places) places.push(place);
    else placesOfPost.set(post, [place]);
  });
  const posts = [...placesOfPost.keys()];
  const jobs: PlannedJob[] = [];
  for (let start = 0; start < posts.length; start += POSTS_PER_JOB) {
    const part = posts.slice(start, start + POSTS_PER_JOB);
    const places = part.map((post) => placesOfPost.get(post)!);
    const criteria = places.map((own) => own.map((place) => pairs[place].criterion));
    jobs.push({ job: jobs.length, posts: part, criteria, places });
  }
  return jobs;
}

/** The pairs of a reply, in its order. */
function decodeReply({ ids, typeIds, lengths, counts, lost }: TokenizeReply): EncodedPair[] {
  let chunk = 0;
  let start = 0;
  return Array.from(counts, (count, pair) => ({
    chunks: Array.from({ length: count }, () => {
      const end = start + lengths[chunk++];
      const tokens = { ids: ids.slice(start, end), typeIds: typeIds.slice(start, end) };
      start = end;
      return tokens;
    }),
    lost: lost[pair],
  }));
}

function startWorker({ folder, maxLength, chunkStride }: PairLimits & Pick<TokenizeOptions, "folder">): Worker {
  // With this module's own extension: in a package for npm both are JavaScript.
  const worker = new Worker(import.meta.url.replace(/tokenize(?=\.\w+$)/, "tokenize_worker"), { type: "module" });
  worker.postMessage({ folder, limits: { maxLength, chunkStride } });
  return worker;
}

/** Feeds a worker from the shared queue, `ahead` jobs at a time, until it is empty; rejects with the worker's first error. */
function runWorker(
  worker: Worker,
  { queue, ahead }: { queue: PlannedJob[]; ahead: number },
  onReply: (reply: TokenizeReply) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let underWay = 0;
    const feed = (): void => {
      for (; underWay < ahead && queue.length > 0; underWay++) {
        const { job, posts, criteria } = queue.pop()!;
        worker.postMessage({ job, posts, criteria });
      }
      if (underWay === 0) resolve();
    };
    worker.onmessage = ({ data }: MessageEvent<TokenizeReply | { kind?: ErrorKind; message: string }>) => {
      if ("message" in data) {
        return reject(data.kind ? new EntailError(data.kind, data.message) : new Error(data.message));
      }
      onReply(data);
      underWay--;
      feed();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`a tokenizing thread failed: ${event.message}`));
    };
    feed();
  });
}
