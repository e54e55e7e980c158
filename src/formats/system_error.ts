/** Errors of the operating system: their code and what they say. */

/** Such as `ENOSPC`; undefined for errors of other origin. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as Error & { code?: unknown }).code : undefined;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** The system's words, such as "input/output error", without the call and the path. */
export function systemReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n")[0].replace(/ \(os error \d+\).*$/, "").toLowerCase();
}
