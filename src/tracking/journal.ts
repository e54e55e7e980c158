/**
 * What a server has not got yet, on disk: operations as JSON lines, written before they are sent and cleared when all
 * have arrived. A process that dies or cannot reach the server leaves them to the next one with the same folder.
 */
import { join } from "node:path";
import { writeError } from "../formats/atomic_write.ts";
import { type MetricPoint, type Operation, type StartOperation, withNonFinite } from "./operations.ts";

export const journalName = (number: number): string => `mlflow-unsent-${number}.jsonl`;

export interface Journal {
  readonly path: string;
  /** Operations that earlier processes have left. */
  readonly inherited: readonly Operation[];
  append(operation: Operation): void;
  /** All has arrived: forgets it, but for the starts of runs that are under way. */
  clear(underWay: readonly StartOperation[]): void;
  /** Closes the file and, if `done`, removes it. */
  close(done: boolean): void;
}

interface Header {
  version: 1;
  tracking_uri: string;
}

const HEADER_VERSION = 1;

/**
 * Opens the folder's first journal for this server that no other process uses; the lock on it goes with the process.
 * `uri` is the server's address without credentials. Throws a usage error where the folder cannot be written.
 */
export function openJournal(folder: string, uri: string): Journal {
  try {
    Deno.mkdirSync(folder, { recursive: true });
    for (let number = 0;; number++) {
      const path = join(folder, journalName(number));
      const file = Deno.openSync(path, { read: true, write: true, create: true });
      const inherited = tryLock(file) ? readJournal(path, uri) : null;
      if (inherited) return journalIn(file, path, uri, inherited);
      file.close();
    }
  } catch (error) {
    throw writeError(error, folder);
  }
}

/** Some network disks know no locks; there the folder is taken to be this process's own. */
function tryLock(file: Deno.FsFile): boolean {
  try {
    return file.tryLockSync(true);
  } catch {
    return true;
  }
}

/** The operations of a journal for `uri`; null if it is another server's. A line that a kill cut off is left out. */
function readJournal(path: string, uri: string): Operation[] | null {
  const [first, ...lines] = Deno.readTextFileSync(path).split("\n").map(parseLine);
  const header = first as Header | undefined;
  if (header && (header.version !== HEADER_VERSION || header.tracking_uri !== uri)) return null;
  return lines.filter((line) => line !== undefined) as Operation[];
}

function parseLine(line: string): unknown {
  try {
    const value = JSON.parse(line);
    if (value.kind === "metrics") {
      for (const point of value.points as MetricPoint[]) point.value = Number(point.value);
    }
    return value;
  } catch {
    return undefined;
  }
}

function journalIn(file: Deno.FsFile, path: string, uri: string, inherited: readonly Operation[]): Journal {
  const header: Header = { version: HEADER_VERSION, tracking_uri: uri };
  const lineOf = (value: object) => JSON.stringify(value, withNonFinite) + "\n";
  const write = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
  };
  const rewrite = (operations: readonly object[]) => {
    file.truncateSync(0);
    file.seekSync(0, Deno.SeekMode.Start);
    write([header, ...operations].map(lineOf).join(""));
  };
  rewrite(inherited);
  return {
    path,
    inherited,
    append: (operation) => write(lineOf(operation)),
    clear: (underWay) => rewrite(underWay.map((start) => ({ ...start, again: true }))),
    close(done) {
      if (done) Deno.removeSync(path);
      file.close();
    },
  };
}
