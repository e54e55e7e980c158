/** The little that the relational storage needs from a database. One implementation per database program. */

export type SqlValue = null | number | string;
export type SqlRow = Readonly<Record<string, SqlValue>>;

export interface Sql {
  /** Runs one statement with `?` placeholders and returns its rows (none for statements without a result). */
  all(sql: string, parameters?: readonly SqlValue[]): Promise<SqlRow[]>;
}

/** Phrases that databases spell differently. */
export interface SqlDialect {
  /** A condition: `column` is one of the integers in the JSON array bound to the placeholder. */
  inJsonList(column: string): string;
  /** A condition: the timestamp `column` lies more than the bound number of seconds before the server's now. */
  olderThanSeconds(column: string): string;
  /** Ends a SELECT in a transaction: its rows stay as they are until the transaction is over. */
  readonly forUpdate: string;
  /** The same, passing over rows that another transaction holds. */
  readonly forUpdateOfFree: string;
}

export interface SqlDriver extends Sql {
  readonly dialect: SqlDialect;
  /**
   * Runs `body` in a transaction that excludes other writers, from its beginning or from the rows that it reads
   * `forUpdate`, one at a time within this process; waits for locks and servers, and repeats the whole body where that is
   * needed: also where the connection was lost after the transaction was committed and before it was known, so `body`
   * must bear that. Rolled back when `body` throws.
   */
  transaction<T>(body: (sql: Sql) => Promise<T>): Promise<T>;
  /** Whether the data may have been changed by someone else since the last call. */
  changedByOthers(): Promise<boolean>;
  close(): Promise<void>;
}
