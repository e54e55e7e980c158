/** What went wrong, as the exit status tells it. */
export type ErrorKind = "usage" | "data" | "adapter" | "memory" | "interrupted";

const EXIT_STATUS: Record<ErrorKind, number> = { usage: 2, data: 3, adapter: 4, memory: 5, interrupted: 130 };

/**
 * An error that a user can act on. The message is one line that names the file (with line and column) or the
 * configuration key, and says what to do; the command line prints it as `error: …` without a stack trace.
 */
export class EntailError extends Error {
  /** `message` is one line: what is wrong, and what to do. */
  constructor(readonly kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "EntailError";
  }
}

/** The process exit status for an error: the contract's numbers for an `EntailError`, 1 for a defect of the program. */
export function exitStatus(error: unknown): number {
  return error instanceof EntailError ? EXIT_STATUS[error.kind] : 1;
}
