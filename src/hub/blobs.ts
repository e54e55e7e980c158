/** Files on their way into the cache: one process at a time, continued after a break, in place only if they are right. */
import { dirname } from "node:path";
import { EntailError } from "../errors.ts";
import { makeFolder, writeError } from "../formats/atomic_write.ts";
import { blobId, filesDigest } from "../formats/digest.ts";
import { inMegabytes } from "../formats/human.ts";
import { systemCode } from "../formats/system_error.ts";
import { idText } from "./model_id.ts";
import { type Hub, type HubFile, HubUnavailable, networkError, openContent, shown } from "./requests.ts";

/** Tells how far a stage of this name has come. */
export type StageProgress = (stage: string) => (done: number, total: number) => void;

export interface Download extends Hub {
  info(line: string): void;
  stage: StageProgress;
}

const LOCK_POLL_MS = 200;

/**
 * Brings a file's content to `blob` unless it is there. What has arrived of an interrupted download lies in
 * `<blob>.incomplete`, where huggingface_hub had it too; `lock` is its lock. Data error where the content is not what the
 * hub says: then nothing of it stays.
 */
export async function fetchBlob(download: Download, file: HubFile, blob: string, lock: string): Promise<void> {
  if (await exists(blob)) return;
  await makeFolder(dirname(blob));
  await makeFolder(dirname(lock));
  const held = await acquire(download, file, lock);
  const incomplete = `${blob}.incomplete`;
  try {
    if (await exists(blob)) return;
    await complete(download, file, incomplete);
    await verify(download, file, incomplete);
    await Deno.rename(incomplete, blob);
  } catch (error) {
    if (error instanceof WrongContent) await Deno.remove(incomplete);
    throw writeError(error, blob);
  } finally {
    held.close();
  }
}

/** Python's filelock takes the same lock (flock). */
async function acquire({ id, signal, info }: Download, { name }: HubFile, path: string): Promise<Deno.FsFile> {
  const lock = await Deno.open(path, { create: true, write: true }).catch((error) => {
    throw writeError(error, path);
  });
  for (let tries = 0; !await lock.tryLock(true); tries++) {
    if (tries === 2000 / LOCK_POLL_MS) info(`${idText(id)}: waiting for another process that downloads ${name}`);
    if (signal?.aborted) {
      lock.close();
      throw new EntailError("interrupted", `${idText(id)}: interrupted while another process downloads ${name}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
  return lock;
}

/** Adds what is missing to the file at `path`. */
async function complete(download: Download, file: HubFile, path: string): Promise<void> {
  const target = await Deno.open(path, { create: true, write: true });
  try {
    let begin = (await target.stat()).size;
    if (file.size !== null && begin > file.size) await target.truncate(begin = 0);
    // Content without a known size is asked for again, so that its end is seen.
    if (begin > 0 && begin === file.size) return;
    await target.seek(begin, Deno.SeekMode.Start);
    await receive(download, file, target, begin);
    await target.syncData();
  } finally {
    target.close();
  }
}

async function receive(download: Download, file: HubFile, target: Deno.FsFile, begin: number): Promise<void> {
  const stalled = new AbortController();
  const signal = AbortSignal.any([stalled.signal, ...download.signal ? [download.signal] : []]);
  const give = () => stalled.abort(new DOMException("", "TimeoutError"));
  let timer = setTimeout(give, download.settings.stallMs);
  try {
    const { status, headers, body } = await openContent(download, file, begin, signal);
    const from = status === 206 ? begin : 0;
    if (status === 416 || status === 206 && !headers.get("content-range")?.startsWith(`bytes ${begin}-`)) {
      await body?.cancel();
      await target.truncate(0);
      throw new HubUnavailable(`${idText(download.id)}: ${file.name} cannot be continued; run the command again`);
    }
    if (from === 0 && begin > 0) {
      await target.truncate(0);
      await target.seek(0, Deno.SeekMode.Start);
    }
    const announced = headers.get("content-length");
    const total = announced === null ? file.size : from + Number(announced);
    if (file.size !== null && total !== file.size) {
      await body?.cancel();
      throw new WrongContent(download, file, `comes with ${total} bytes, the hub says ${file.size}`);
    }
    const progress = inMegabytes(download.stage(`downloading ${file.name} (MB)`));
    let done = from;
    for await (const chunk of body ?? []) {
      clearTimeout(timer);
      for (let at = 0; at < chunk.length;) at += await target.write(chunk.subarray(at));
      done += chunk.length;
      progress(done, total ?? done + 1); // of an unknown size more may come
      timer = setTimeout(give, download.settings.stallMs);
    }
    if (total !== null && done < total) throw new Error(`the connection ended at ${done} of ${total} bytes`);
  } catch (error) {
    throw networkOrDisk(download, error, stalled.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** An error of the disk is none of the network. */
const DISK_CODES = ["ENOSPC", "EDQUOT", "EFBIG", "EIO"];
const networkOrDisk = (download: Download, error: unknown, stalled: AbortSignal): unknown =>
  DISK_CODES.includes(systemCode(error) ?? "")
    ? error
    : networkError(download, stalled.aborted ? stalled.reason : error);

/** Size and digest, by which the hub names the content. */
async function verify(download: Download, file: HubFile, path: string): Promise<void> {
  const { size } = await Deno.stat(path);
  const isLarge = file.etag.length === 64;
  const digest = isLarge
    ? await filesDigest([path], inMegabytes(download.stage(`checking ${file.name} (MB)`)))
    : await blobId(path);
  const fault = file.size !== null && size !== file.size
    ? `has ${size} bytes, the hub says ${file.size}`
    : digest !== file.etag
    ? `has the ${isLarge ? "SHA-256" : "blob id"} ${digest}, the hub says ${file.etag}`
    : null;
  if (fault !== null) throw new WrongContent(download, file, fault);
}

class WrongContent extends EntailError {
  constructor({ id, settings }: Download, { name }: HubFile, fault: string) {
    super(
      "data",
      `${idText(id)}: what ${shown(settings)} sent for ${name} ${fault}; it was not kept: run the command again, and ` +
        "check HF_ENDPOINT and proxies if that does not help",
    );
  }
}

const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false);
