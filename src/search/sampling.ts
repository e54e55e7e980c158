/** From what a trial proposes to the values of the search space, by parameter names. */
import { conditionNames, type Config, getByPath, type SearchParameter, wantedValues } from "../config/config.ts";
import type { ParamValue } from "../studies/distributions.ts";
import type { Trial } from "../studies/trial.ts";

/** What proposes values: a trial. */
export type Suggestions = Pick<Trial, "suggestFloat" | "suggestInt" | "suggestCategorical">;

/**
 * Samples every parameter of the search space, in the order of the file. A conditional parameter is sampled only where
 * its conditions hold, all of them, and after the parameters that decide so; otherwise it does not exist in this trial.
 */
export function sampleValues(trial: Suggestions, config: Config): Record<string, ParamValue> {
  const space = config.hpo.search_space;
  const seen = new Set<string>();
  const values: Record<string, ParamValue> = {};
  const holds = ([other, wanted]: [string, ParamValue | readonly ParamValue[]]): boolean => {
    conditionNames(space, other).forEach(sample);
    const value = Object.hasOwn(space, other) ? values[other] : valueOfKey(config, values, other);
    return wantedValues(wanted).includes(value as ParamValue);
  };
  const sample = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    if (Object.entries(space[name].when ?? {}).every(holds)) values[name] = suggest(trial, name, space[name]);
  };
  Object.keys(space).forEach(sample);
  return values;
}

/** The parameter that decides about a configuration key in a trial with these values: the last that sets it. */
export function setterOf(
  { hpo: { search_space: space } }: Config,
  values: Readonly<Record<string, ParamValue>>,
  key: string,
): string | undefined {
  return Object.keys(space).findLast((name) => space[name].key === key && Object.hasOwn(values, name));
}

/** The value that a configuration key has in a trial. */
export function valueOfKey(config: Config, values: Readonly<Record<string, ParamValue>>, key: string): unknown {
  const setter = setterOf(config, values, key);
  return setter === undefined ? getByPath(config, key) : values[setter];
}

/** Proposes one parameter. */
export function suggest(trial: Suggestions, name: string, parameter: SearchParameter): ParamValue {
  const { type, low, high, log, step, choices } = parameter;
  if (type === "categorical") return trial.suggestCategorical(name, choices!);
  const options = { log, ...(step !== null && !log && { step }) };
  return type === "int" ? trial.suggestInt(name, low!, high!, options) : trial.suggestFloat(name, low!, high!, options);
}
