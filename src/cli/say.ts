/** A line for people on stderr. A full disk behind it, or a closed terminal, stops nothing. */
export function say(line: string): void {
  try {
    console.error(line);
  } catch {
    // There is nowhere else to say it.
  }
}
