/** The nearest known name, for "did you mean". */
import { closest } from "../packages/fastest_levenshtein.ts";

/** No key has more; what comes behind them in a name is not looked at part by part. */
const MOST_PARTS = 20;

/**
 * The known name that the user most likely meant. Before edit distance is asked: a key without its group
 * (`learning_rate`) finds the full one (`training.learning_rate`), so does one that lacks a group in the middle
 * (`training.precision`), and a key whose group is right stays in the group. `known` must not be empty.
 */
export function nearest(name: string, known: readonly string[]): string {
  const parts = name.split(".", MOST_PARTS);
  const ending = known.find((candidate) => candidate.endsWith(`.${name}`)) ??
    known.find((candidate) =>
      candidate.startsWith(`${parts[0]}.`) && candidate.endsWith(`.${parts[parts.length - 1]}`)
    );
  if (ending !== undefined) return ending;
  for (let count = parts.length - 1; count > 0; count--) {
    const group = `${parts.slice(0, count).join(".")}.`;
    const inside = known.filter((candidate) => candidate.startsWith(group));
    if (inside.length > 0) return closest(name, inside);
  }
  return closest(name, known);
}
