/** The rooms of src/, and who may import whom: a list from the leaves up, in which nobody imports who stands below. */
import { circles } from "./circles.ts";
import type { Imports } from "./imports.ts";

const LEAVES = ["packages", "errors", "formats", "random", "version"] as const;
const DEVICE = ["gpu", "nn"] as const;
const LIBRARY = [
  ...LEAVES,
  ...DEVICE,
  "config",
  "tokenizers",
  "dataset",
  "augmentation",
  "studies",
  "hub",
  "evaluation",
  "models",
  "tuning",
  "training",
  "search",
  "tracking",
  "report",
] as const;

/** The rooms that each room may import besides itself. A file that lies in src/ itself is a room of its own. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  packages: [],
  errors: [],
  version: [],
  random: ["errors"],
  formats: ["errors", "packages"],
  config: ["errors", "packages", "formats"],
  hub: ["errors", "formats"],
  tokenizers: ["errors", "formats"],
  evaluation: ["errors", "random"],
  dataset: ["errors", "packages", "formats", "random", "tokenizers"],
  augmentation: ["errors", "packages", "formats", "random", "dataset"],
  studies: ["errors", "packages", "formats", "random"],
  gpu: ["errors"],
  nn: ["errors", "gpu"],
  models: ["errors", "packages", "formats", "random", "tokenizers", "gpu", "nn"],
  tuning: ["errors", "formats", ...DEVICE],
  training: [
    ...LEAVES,
    ...DEVICE,
    "tuning",
    "config",
    "tokenizers",
    "dataset",
    "augmentation",
    "hub",
    "evaluation",
    "models",
  ],
  search: [...LEAVES, ...DEVICE, "config", "dataset", "augmentation", "studies", "evaluation", "models", "training"],
  tracking: ["errors", "packages", "formats", "config", "studies", "evaluation", "training", "search"],
  report: ["errors", "packages", "formats", "config", "studies", "evaluation", "training", "search"],
  dashboard: [
    "errors",
    "packages",
    "formats",
    "version",
    "config",
    "evaluation",
    "studies",
    "training",
    "search",
    "report",
  ],
  bench: ["errors", "random", ...DEVICE, "tuning", "dataset", "models", "training"],
  check: ["errors", ...DEVICE, "tuning", "models", "training"],
  cli: [...LIBRARY, "dashboard", "bench", "check"],
  "mod.ts": LIBRARY,
};

/** One line for each import that the table does not allow, and for each group of files that import each other. */
export function roomProblems(imports: Imports, rooms: typeof ROOMS = ROOMS): string[] {
  const problems: string[] = [];
  for (const [file, targets] of imports) {
    const room = roomOf(file);
    if (!(room in rooms)) problems.push(`${file}: src/check/rooms.ts has no room ${room}`);
    for (const target of targets) {
      const other = roomOf(target);
      if (other === room || !(room in rooms) || rooms[room].includes(other)) continue;
      problems.push(`${file} imports ${target}: ${room} may not import ${other} (src/check/rooms.ts)`);
    }
  }
  return [...problems, ...circles(imports).map((files) => `a circle of imports: ${[...files, files[0]].join(" → ")}`)];
}

/** "nn" for src/nn/linear.ts, "errors" for src/errors.ts, "tests" for tests/nn/linear_test.ts, "mod.ts" for itself. */
function roomOf(path: string): string {
  const [first, second] = path.split("/");
  return first === "src" ? second.replace(/\.ts$/, "") : first;
}
