/** Circles in a graph of imports. */
import type { Imports } from "./imports.ts";

/** For each group of files that import each other, the shortest circle through its first file, in order. */
export function circles(imports: Imports): string[][] {
  const reach = new Map([...imports.keys()].map((file) => [file, reachable(imports, file)]));
  const grouped = new Set<string>();
  const found: string[][] = [];
  for (const [file, from] of reach) {
    if (!from.has(file) || grouped.has(file)) continue;
    for (const other of from.keys()) if (reach.get(other)?.has(file)) grouped.add(other);
    const circle = [];
    for (let at = from.get(file)!; at !== file; at = from.get(at)!) circle.unshift(at);
    found.push([file, ...circle]);
  }
  return found;
}

/** The files that `file` imports, directly or not, each with the one through which the search first came to it. */
function reachable(imports: Imports, file: string): Map<string, string> {
  const from = new Map<string, string>();
  const queue = [file];
  for (const at of queue) {
    for (const target of imports.get(at) ?? []) {
      if (from.has(target)) continue;
      from.set(target, at);
      queue.push(target);
    }
  }
  return from;
}
