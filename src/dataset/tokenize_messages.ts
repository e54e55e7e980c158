/** Posts to tokenize, each with the criteria it is paired with. */
export interface TokenizeJob {
  job: number;
  posts: string[];
  criteria: string[][];
}

/** The pairs of a job one after another, post by post. */
export interface TokenizeReply {
  job: number;
  ids: Uint32Array<ArrayBuffer>;
  typeIds: Uint8Array<ArrayBuffer>;
  lengths: Uint32Array<ArrayBuffer>;
}
