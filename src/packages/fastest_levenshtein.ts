/** Edit distances: the nearest known name, and sentences that are nearly the same. */
export { closest, distance } from "npm:fastest-levenshtein@1.0.16";
