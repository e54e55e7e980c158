/** Posts to tokenize, each with the criteria it is paired with. */
export interface TokenizeJob {
  job: number;
  posts: string[];
  criteria: string[][];
}

/** The chunks of a job's pairs one after another, post by post. */
export interface TokenizeReply {
  job: number;
  ids: Uint32Array<ArrayBuffer>;
  typeIds: Uint8Array<ArrayBuffer>;
  /** Tokens of each chunk. */
  lengths: Uint32Array<ArrayBuffer>;
  /** Chunks of each pair, and the tokens of its post that are in none. */
  counts: Uint32Array<ArrayBuffer>;
  lost: Uint32Array<ArrayBuffer>;
}
