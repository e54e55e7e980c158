/** Brings operations to a store from the background, in order: points in batches, failures again after a pause. */
import { inShort } from "../formats/human.ts";
import type { Journal } from "./journal.ts";
import {
  type ArtifactOperation,
  type MetricsOperation,
  type Operation,
  Refused,
  RefusedForNow,
  type StartOperation,
  type Store,
} from "./operations.ts";

/**
 * Milliseconds: the first and the longest pause after a failure, how long `close` waits for a sign of life, and how long
 * a shared run that has been created waits for others' creations of it.
 */
export interface Patience {
  firstPauseMs: number;
  longestPauseMs: number;
  closingMs: number;
  settleMs: number;
}

export const DEFAULT_PATIENCE: Patience = {
  firstPauseMs: 1000,
  longestPauseMs: 60_000,
  closingMs: 10_000,
  settleMs: 1500,
};

export interface DeliveryOptions {
  /** Where operations wait until they have arrived; null: only in memory. */
  journal: Journal | null;
  /** What the store is called in a notice. */
  storeName: string;
  onNotice(line: string): void;
  /** What the store lacks, and where it is. */
  onLack(line: string): void;
  patience: Patience;
}

export interface Delivery {
  push(operation: Operation): void;
  /** Sends what is left, as long as that makes progress; the rest stays in the journal. Never throws. */
  close(): Promise<void>;
}

/** Refusals that are told one by one; a store may have as many reasons as there are records. */
const TOLD_REFUSALS = 10;

export function startDelivery(store: Store, options: DeliveryOptions): Delivery {
  const { journal, storeName, onNotice, onLack, patience } = options;
  const queue: Operation[] = [...journal?.inherited ?? []];
  const underWay = new Map<string, StartOperation>();
  /** What the store may take from a later process, in order. */
  const refused: Operation[] = [];
  const refusals = new Set<string>();
  let closing = false;
  let pauseMs = 0;
  let wake = () => {};
  let giveUp: AbortController | undefined;
  let journalWorks = journal !== null;
  let lastSign = 0;
  let saidAway = false;
  let trouble = "";

  const answered = () => {
    lastSign = performance.now();
  };

  const sleep = (ms: number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    // Nobody waits for the background; `close` does, and wakes it.
    Deno.unrefTimer(timer);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  };

  function inJournal(write: (journal: Journal) => void) {
    if (!journal || !journalWorks) return;
    try {
      write(journal);
    } catch (error) {
      journalWorks = false;
      onLack(
        `MLflow: ${journal.path} cannot be written (${(error as Error).message}); unsent runs are in memory only`,
      );
    }
  }

  /** The next operation, with the points that follow it in the same run. */
  function next(): { operation: Operation; count: number } {
    const first = queue[0];
    if (first.kind !== "metrics") return { operation: first, count: 1 };
    const merged: MetricsOperation = { ...first, points: [...first.points] };
    let count = 1;
    for (; count < queue.length; count++) {
      const more = queue[count];
      if (more.kind !== "metrics" || more.run !== first.run || more.again !== first.again) break;
      if (merged.points.length + more.points.length > store.maxPoints) break;
      merged.points.push(...more.points);
    }
    return { operation: merged, count };
  }

  function arrived(operation: Operation) {
    const { kind, run } = operation;
    if (kind === "start") underWay.set(run, operation);
    // Where records of it are left, they need its start.
    if (kind === "end" && !refused.some((other) => other.run === run)) underWay.delete(run);
  }

  function wasRefused(error: Refused, operation: Operation, count: number) {
    // A later run has replaced many files at once: one of them is named.
    const said = error instanceof Replaced ? Replaced.name : error.message;
    if (said && !refusals.has(said) && refusals.size < TOLD_REFUSALS) {
      onLack(`MLflow: ${storeName} lacks a part of a run: ${inShort(error.message)}`);
      refusals.add(said);
    }
    if (!(error instanceof RefusedForNow)) return;
    refused.push(...error.rest ? [error.rest] : queue.slice(0, count));
    if (error.rest) arrived(operation);
  }

  function whatIsLeft(): string {
    const isKept = journal && journalWorks;
    const reason = queue.length > 0
      ? `cannot be ${isKept ? "reached" : "written"} (${trouble})`
      : `has refused ${refused.length} records`;
    return isKept
      ? `${reason}; what it has not got is in ${journal.path} and sent by the next run with this output folder`
      : `${reason}; ${queue.length + refused.length} records of its runs are lost`;
  }

  async function attempt(operation: Operation, count: number): Promise<void> {
    giveUp = new AbortController();
    answered();
    try {
      if (operation.kind === "artifact") {
        if (isReplaced(operation, queue.slice(count))) throw new Refused("");
        checkUnchanged(operation);
      }
      await store.apply(operation, { signal: giveUp.signal, answered });
      arrived(operation);
      if (saidAway) onNotice(`MLflow: ${storeName} is back`);
      saidAway = false;
    } catch (error) {
      if (!(error instanceof Refused)) {
        trouble = giveUp.signal.aborted ? "no answer" : reasonOf(error as Error);
        if (!saidAway && !closing) {
          onNotice(`MLflow: ${storeName} cannot be reached (${trouble}); training goes on, runs are sent later`);
          saidAway = true;
        }
        pauseMs = Math.min(patience.longestPauseMs, Math.max(patience.firstPauseMs, 2 * pauseMs));
        return;
      }
      wasRefused(error, operation, count);
    }
    pauseMs = 0;
    queue.splice(0, count);
    // What was refused stays, with all that came behind it, until the journal is left to a later process.
    if (queue.length + refused.length === 0) inJournal((journal) => journal.clear([...underWay.values()]));
  }

  async function work(): Promise<void> {
    while (!closing || queue.length > 0) {
      if (queue.length === 0) {
        await sleep(2 ** 31 - 1);
        continue;
      }
      if (!closing && queue.every(({ kind }) => kind === "metrics")) await sleep(store.lingerMs);
      const wasClosing = closing;
      const { operation, count } = next();
      await attempt(operation, count);
      if (pauseMs === 0) continue;
      // A try that began before gets another one, unless it has been given up for want of any answer.
      if (wasClosing || giveUp?.signal.aborted) return;
      if (!closing) await sleep(pauseMs);
    }
  }
  const worker = work();

  return {
    push(operation) {
      const idle = queue.length === 0;
      queue.push(operation);
      inJournal((journal) => journal.append(operation));
      // While the store is away its pause goes on; points alone may wait for others.
      if (idle || (pauseMs === 0 && operation.kind !== "metrics")) wake();
    },
    async close() {
      if (closing) return await worker;
      closing = true;
      wake();
      const watch = setInterval(() => {
        const [sending] = queue;
        // A server that has been silent for a while is not waited for as long; a file takes its time.
        const waitMs = sending?.kind === "artifact"
          ? patience.closingMs + sending.bytes / 1000
          : patience.closingMs / (saidAway ? 5 : 1);
        if (performance.now() - lastSign > waitMs) giveUp?.abort();
      }, patience.closingMs / 10);
      const notice = setTimeout(() => {
        onNotice(
          `MLflow: sending what is left to ${storeName}${journal ? "; stopped, the next run goes on with it" : ""}`,
        );
      }, 3000);
      await worker;
      clearInterval(watch);
      clearTimeout(notice);
      const left = [...refused, ...queue];
      if (refused.length > 0) {
        const runs = new Set(left.flatMap((it) => it.kind === "start" && it.parent ? [it.run, it.parent] : [it.run]));
        const starts = [...underWay.values()].filter(({ run }) => runs.has(run));
        inJournal((journal) => journal.leave(starts, left));
      }
      if (left.length > 0) onLack(`MLflow: ${storeName} ${whatIsLeft()}`);
      inJournal((journal) => journal.close(left.length === 0));
    },
  };
}

/** Whether the same file of the same run, as it is now, waits further behind: of a run that goes on. */
const isReplaced = ({ run, file }: ArtifactOperation, later: readonly Operation[]): boolean =>
  later.some((other) => other.kind === "artifact" && other.run === run && other.file === file);

class Replaced extends Refused {}

/** A file that a later run has replaced is not this run's. */
function checkUnchanged({ file, bytes, modified }: ArtifactOperation): void {
  let info: Deno.FileInfo | undefined;
  try {
    info = Deno.statSync(file);
  } catch {
    // Gone.
  }
  if (info?.size !== bytes || (info.mtime?.getTime() ?? 0) !== modified) {
    throw new Replaced(`${file} is no longer what it was; files that another run has replaced are not sent`);
  }
}

/** Why a store could not be reached: of what `fetch` says, the system's own words at the end. */
function reasonOf({ message, cause }: Error): string {
  return inShort(cause instanceof Error ? cause.message.split(": ").at(-1)! : message);
}
