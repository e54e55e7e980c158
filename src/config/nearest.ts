/** The nearest known name, for "did you mean". */
import { closest } from "../packages/fastest_levenshtein.ts";
import { meaningOf } from "./synonyms.ts";

/** No key has more; what comes behind them in a name is not looked at part by part. */
const MOST_PARTS = 20;

/**
 * The known name that the user most likely meant. Before edit distance is asked: a key without its group
 * (`learning_rate`) finds the full one (`training.learning_rate`), so does one that lacks a group in the middle
 * (`training.precision`); a key by the name that other programs have for it (`lr`, `epochs`) finds ours, and a key whose
 * group is right stays in the group. `known` must not be empty.
 */
export function nearest(name: string, known: readonly string[]): string {
  const parts = name.split(".", MOST_PARTS);
  const endsWith = (ending: string) => (candidate: string) => candidate.endsWith(`.${ending.replaceAll("-", "_")}`);
  const ending = known.find(endsWith(name));
  if (parts.length > 1 && ending !== undefined) return ending;
  const meaning = meaningOf(name);
  if (meaning !== undefined && known.includes(meaning)) return meaning;
  const inGroup = ending ?? known.filter((candidate) => candidate.startsWith(`${parts[0]}.`))
    .find(endsWith(parts[parts.length - 1]));
  if (inGroup !== undefined) return inGroup;
  for (let count = parts.length - 1; count > 0; count--) {
    const group = `${parts.slice(0, count).join(".")}.`;
    const inside = known.filter((candidate) => candidate.startsWith(group));
    if (inside.length > 0) return closest(name, inside);
  }
  return closest(name, known);
}
