/** The nearest known name, for "did you mean". */
import { closest } from "fastest-levenshtein";

/**
 * The known name that the user most likely meant. A key without its group (`learning_rate`) finds the full one
 * (`training.learning_rate`) before edit distance is asked. `known` must not be empty.
 */
export function nearest(name: string, known: readonly string[]): string {
  return known.find((candidate) => candidate.endsWith(`.${name}`)) ?? closest(name, known);
}
