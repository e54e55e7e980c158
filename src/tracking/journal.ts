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
  /** Before it is closed: leaves these operations and the starts of their runs, at any moment all or what it held. */
  leave(underWay: readonly StartOperation[], operations: readonly Operation[]): void;
  /** Closes the file and, if `done`, removes it. */
  close(done: boolean): void;
}

interface Header {
  version: 1;
  tracking_uri: string;
}

const HEADER_VERSION = 1;

/** What a line must hold to be carried out. */
const FIELDS: Record<Operation["kind"], Record<string, "string" | "number" | "object">> = {
  start: { experiment: "string", name: "string", startTime: "number", tags: "object", params: "object" },
  metrics: { points: "object" },
  tags: { tags: "object" },
  text: { path: "string", text: "string" },
  artifact: { file: "string", folder: "string", bytes: "number", modified: "number" },
  dataset: { name: "string", digest: "string", path: "string", context: "string" },
  end: { status: "string", endTime: "number" },
  left: { experiment: "string", status: "string", endTime: "number", tags: "object" },
};

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
  const [header, ...lines] = Deno.readTextFileSync(path).split("\n").map(parseLine);
  if (header && (header.version !== HEADER_VERSION || header.tracking_uri !== uri)) return null;
  return lines.filter(isOperation).map((operation) =>
    operation.kind === "metrics" ? { ...operation, points: operation.points.map(withNumber), again: true } : operation
  );
}

type Line = Partial<Header & Operation> | undefined;

function parseLine(line: string): Line {
  try {
    return Object(JSON.parse(line));
  } catch {
    return undefined;
  }
}

function isOperation(line: Line): line is Operation {
  const fields = FIELDS[line?.kind as Operation["kind"]];
  if (!fields || typeof line!.run !== "string") return false;
  const values = line as Record<string, unknown>;
  return Object.entries(fields).every(([name, type]) => typeof values[name] === type && values[name] !== null);
}

const withNumber = (point: MetricPoint): MetricPoint => ({ ...point, value: Number(point.value) });

function journalIn(file: Deno.FsFile, path: string, uri: string, inherited: readonly Operation[]): Journal {
  const header: Header = { version: HEADER_VERSION, tracking_uri: uri };
  const lineOf = (value: object) => JSON.stringify(value, withNonFinite) + "\n";
  const write = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
  };
  const textOf = (underWay: readonly StartOperation[], operations: readonly Operation[]) =>
    [header, ...underWay.map((start) => ({ ...start, again: true })), ...operations].map(lineOf).join("");
  const rewrite = (text: string) => {
    file.truncateSync(0);
    file.seekSync(0, Deno.SeekMode.Start);
    write(text);
  };
  rewrite(textOf([], inherited));
  return {
    path,
    inherited,
    append: (operation) => write(lineOf(operation)),
    clear: (underWay) => rewrite(textOf(underWay, [])),
    leave(underWay, operations) {
      Deno.writeTextFileSync(`${path}.tmp`, textOf(underWay, operations));
      Deno.renameSync(`${path}.tmp`, path);
    },
    close(done) {
      if (done) Deno.removeSync(path);
      file.close();
    },
  };
}
