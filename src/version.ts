/** This program's version, that of deno.json, which packages for npm do not have. */
export const VERSION = "0.1.0";
