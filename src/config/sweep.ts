/** Sweeps: the runs that a command line with several values for a key asks for, by Hydra's rules (its basic sweeper). */
import { matchesGlob } from "node:path";
import { EntailError } from "../errors.ts";
import type { ComposeOptions } from "./config.ts";
import { parseSweepOverride, type SweepOverride } from "./override_grammar.ts";
import { isGroup, openSources, optionsOf, type Sources } from "./sources.ts";

/** One run of a sweep. */
export interface Combination {
  /** All overrides, each of one value. */
  overrides: string[];
  /** The value, as it was typed, of each key that has several in the sweep. */
  swept: Record<string, string>;
}

/** More combinations are a mistake. */
const MOST_COMBINATIONS = 10_000;

/** Every combination of the values, the last key's changing fastest; one where nothing is swept. Usage errors. */
export function combinationsOf(overrides: readonly string[], { configDir }: ComposeOptions = {}): Combination[] {
  const sources = openSources(configDir);
  // As in Hydra, the last of several overrides of a key counts, in the place of the first.
  const byKey = new Map<string, { key: string; values: string[] | null; texts: string[] }>();
  for (const override of overrides) {
    const parsed = parseSweepOverride(override);
    const values = parsed.sweep ? valuesOf(parsed, sources) : null;
    const before = override.slice(0, override.indexOf("=") + 1);
    const texts = values === null ? [override] : values.map((value) => before + value);
    byKey.set(`${parsed.kind} ${parsed.key}`, { key: parsed.key, values, texts });
  }
  const lists = [...byKey.values()];
  const count = lists.reduce((product, { texts }) => product * texts.length, 1);
  if (count > MOST_COMBINATIONS) {
    throw new EntailError("usage", `${count} combinations; a sweep has at most ${MOST_COMBINATIONS}`);
  }
  return lists.reduce<Combination[]>(
    (combinations, { key, values, texts }) =>
      combinations.flatMap(({ overrides, swept }) =>
        texts.map((text, i) => ({
          overrides: [...overrides, text],
          swept: values === null ? swept : { ...swept, [key]: values[i] },
        }))
      ),
    [{ overrides: [], swept: {} }],
  );
}

function valuesOf({ key, text, sweep }: SweepOverride, sources: Sources): string[] {
  if (sweep!.kind === "values") return sweep!.values;
  const { include, exclude } = sweep!;
  if (!isGroup(sources, key)) throw new EntailError("usage", `override "${text}": glob is for groups, not for keys`);
  const options = optionsOf(sources, key).filter((name) =>
    include.some((pattern) => matchesGlob(name, pattern)) && !exclude.some((pattern) => matchesGlob(name, pattern))
  );
  if (options.length > 0) return options;
  throw new EntailError(
    "usage",
    `override "${text}": no option matches (there are: ${optionsOf(sources, key).join(", ")})`,
  );
}
