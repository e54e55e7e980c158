/** Options that every command takes. */
export interface CommonOptions {
  cfg?: "job";
  configDir?: string;
  quiet?: boolean;
  debug?: boolean;
}
