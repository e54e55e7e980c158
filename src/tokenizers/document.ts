/** The content of a tokenizer.json. */
export interface TokenizerDocument {
  added_tokens?: AddedTokenWithId[] | null;
  normalizer?: Part | null;
  pre_tokenizer?: Part | null;
  post_processor?: Part | null;
  decoder?: Part | null;
  model: TokenizerModel;
  [part: string]: unknown;
}

/** A normalizer, pre-tokenizer, … with its settings. */
export interface Part {
  type: string;
  [key: string]: unknown;
}

export type TokenizerModel = UnigramModel | WordPieceModel | BpeModel;

export interface UnigramModel {
  type: "Unigram";
  /** Piece and log probability by id. */
  vocab: [string, number][];
  unk_id?: number | null;
  byte_fallback?: boolean;
}

export interface WordPieceModel {
  type: "WordPiece";
  vocab: Record<string, number>;
  unk_token: string;
  continuing_subword_prefix: string;
  max_input_chars_per_word?: number | null;
}

export interface BpeModel {
  type: "BPE";
  vocab: Record<string, number>;
  /** What is joined, first first: `"a b"` or `["a", "b"]`. */
  merges: (string | [string, string])[];
  unk_token?: string | null;
  continuing_subword_prefix?: string | null;
  end_of_word_suffix?: string | null;
  fuse_unk?: boolean;
  byte_fallback?: boolean;
  ignore_merges?: boolean;
}

/** A token that is found in texts before anything else. */
export interface AddedToken {
  content: string;
  /** Only where no letter or digit is next to it. */
  single_word: boolean;
  /** Takes the white space before it. */
  lstrip: boolean;
  /** Takes the white space after it. */
  rstrip: boolean;
  /** Looked for in normalized text. */
  normalized: boolean;
  special: boolean;
}

export interface AddedTokenWithId extends AddedToken {
  id: number;
}
