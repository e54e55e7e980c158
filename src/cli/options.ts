/** Options that every command takes. */
export interface CommonOptions {
  cfg?: "job";
  resolve?: boolean;
  package?: string;
  info?: InfoKind;
  configDir?: string;
  configName?: string;
  quiet?: boolean;
  debug?: boolean;
}

/** What `--info` can be asked for: all of it, or a part. */
export const INFO_KINDS = ["all", "config", "defaults", "searchpath"] as const;
export type InfoKind = typeof INFO_KINDS[number];

/** The shells that `completion` writes for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = typeof SHELLS[number];
