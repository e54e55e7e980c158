/**
 * What happens to runs, as data: the order in which the program says it is the order in which a store carries it out.
 * Every operation can be carried out twice with the result of once, so that what may have been sent is sent again.
 */
export type RunStatus = "RUNNING" | "FINISHED" | "FAILED" | "KILLED";

/** A point of a metric's history. Times are milliseconds since 1970. */
export interface MetricPoint {
  key: string;
  value: number;
  timestamp: number;
  step: number;
}

/** A run begins, or goes on where it was left if the store has it already. */
export interface StartOperation {
  kind: "start";
  run: string;
  experiment: string;
  name: string;
  startTime: number;
  tags: Record<string, string>;
  params: Record<string, string>;
  parent?: string;
  /** Set when a later process repeats it only to find the run again: the run's status stays as it is. */
  again?: true;
  /** Other processes may begin the same run in the same moment; it must become one. */
  shared?: true;
}

export interface MetricsOperation {
  kind: "metrics";
  run: string;
  points: MetricPoint[];
  /** Set when a later process sends them, also behind points that are there: the same point is not added twice. */
  again?: true;
}

export interface TagsOperation {
  kind: "tags";
  run: string;
  tags: Record<string, string>;
  /** Tags whose values are runs: their ids here. One that the store does not have is left out. */
  runs?: Record<string, string>;
}

/** A text that becomes a file at `path` of the run's artifacts, replacing what is there. */
export interface TextOperation {
  kind: "text";
  run: string;
  path: string;
  text: string;
}

/** A file that goes to `folder` ("" is the top) of the run's artifacts; one that has changed since is left out. */
export interface ArtifactOperation {
  kind: "artifact";
  run: string;
  file: string;
  folder: string;
  bytes: number;
  modified: number;
}

/** A file that the run reads, as MLflow knows datasets: by its name and digest. */
export interface DatasetOperation {
  kind: "dataset";
  run: string;
  name: string;
  digest: string;
  path: string;
  context: string;
}

export interface EndOperation {
  kind: "end";
  run: string;
  status: RunStatus;
  endTime: number;
}

/** A run whose process has died ends, if the store has it as RUNNING. */
export interface LeftOperation {
  kind: "left";
  run: string;
  experiment: string;
  status: RunStatus;
  endTime: number;
  tags: Record<string, string>;
}

/** `run` is the id that this program drew for the run; a server's own id for it is the store's business. */
export type Operation =
  | StartOperation
  | MetricsOperation
  | TagsOperation
  | TextOperation
  | ArtifactOperation
  | DatasetOperation
  | EndOperation
  | LeftOperation;

/** Where runs are kept. */
export interface Store {
  /** Milliseconds that points wait for others to go with them. */
  readonly lingerMs: number;
  /** The most points that one operation may have. */
  readonly maxPoints: number;
  /**
   * Carries out one operation. Throws `Refused` if trying again would be of no use; any other error means that the
   * store could not be reached.
   */
  apply(operation: Operation, attempt: Attempt): Promise<void>;
}

/** One try at an operation, which may take several calls. */
export interface Attempt {
  /** Aborted when no one can wait for it any longer. */
  readonly signal: AbortSignal;
  /** To be called at each answer of the store: a slow one is waited for. */
  answered(): void;
}

/** A store says no to an operation: trying it again now is of no use. */
export class Refused extends Error {}

/** It may say yes another time, to a later process: another version, other limits. */
export class RefusedForNow extends Refused {
  /** `rest`: what of the operation is left to do. */
  constructor(message: string, readonly rest?: Operation) {
    super(message);
  }
}

/** For `JSON.stringify`: numbers that JSON cannot say as the texts "NaN", "Infinity", "-Infinity"; `Number` reads them. */
export const withNonFinite = (_key: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
