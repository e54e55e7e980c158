/** From `hpo.search_space` to the configuration of one trial. */
import { type Config, type SearchParameter, setAll, setByPath, wantedValues } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import {
  categoricalDistribution,
  checkCompatible,
  type Distribution,
  floatDistribution,
  intDistribution,
  type ParamValue,
} from "../studies/distributions.ts";
import type { FrozenTrial } from "../studies/frozen_trial.ts";
import { checkAugmentationKeys } from "../training/augmentation.ts";
import { TAUGHT_LOSSES } from "../training/losses.ts";
import { checkEffects, leftOutParameters } from "./effects.ts";
import { sampleValues, suggest, type Suggestions } from "./sampling.ts";

/** The configuration of a trial: the values that it proposes, see `sampleValues`. */
export const sampleConfig = (trial: Suggestions, config: Config): Config =>
  withParams(config, sampleValues(trial, config));

/** Proposes one corner of the search space: the lowest values, the first choices. */
const FIRST: Suggestions = {
  suggestFloat: (_name, low) => low,
  suggestInt: (_name, low) => low,
  suggestCategorical: (_name, choices) => choices[0],
};

/** The same, but of choices between numbers the lowest too. */
const LOWEST: Suggestions = {
  ...FIRST,
  suggestCategorical: (_name, choices) =>
    choices.reduce((least, choice) =>
      typeof choice === "number" && typeof least === "number" && choice < least ? choice : least
    ),
};

/** The configuration at one corner of the search space: the lowest values, the first choices. */
export const cornerConfig = (config: Config): Config => sampleConfig(FIRST, config);

/**
 * The configuration with the values of a trial, given by parameter names and set in the order of the search space.
 * Parameters that it does not know are an error.
 */
export function withParams(config: Config, params: Readonly<Record<string, ParamValue | undefined>>): Config {
  const space = config.hpo.search_space;
  for (const name of Object.keys(params)) {
    if (Object.hasOwn(space, name)) continue;
    throw new EntailError(
      "usage",
      `hpo.search_space.${name}: is missing, but trials of the study have a value for it`,
    );
  }
  return setAll(
    config,
    Object.entries(space).flatMap(([name, { key }]) => {
      const value = params[name];
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

/** The configurations, one for each method, of the augmentations that trials may have. */
export function possibleAugmentations(config: Config): Config[] {
  const { enable, method } = config.augmentation;
  const choicesOf = (key: string, own: ParamValue) =>
    Object.values(config.hpo.search_space).find((parameter) => parameter.key === key)?.choices ?? [own];
  if (!choicesOf("augmentation.enable", enable).includes(true)) return [];
  const enabled = setByPath(config, "augmentation.enable", true);
  return choicesOf("augmentation.method", method).map((choice) => setByPath(enabled, "augmentation.method", choice!));
}

/** The configurations, one for each loss that trials may have and that learns from a teacher. */
export function possibleTeachers(config: Config): Config[] {
  const { loss_type } = config.model;
  const searched = Object.values(config.hpo.search_space).find(({ key }) => key === "model.loss_type")?.choices;
  const taught = (searched ?? [loss_type]).filter((choice) => TAUGHT_LOSSES.includes(choice as string));
  return taught.map((choice) => setByPath(config, "model.loss_type", choice!));
}

/** A line for each parameter whose values another one, later in the space, replaces in the same trial. */
export function replacedParameters({ hpo }: Config): string[] {
  const parameters = Object.entries(hpo.search_space);
  const exclude = (a: SearchParameter, b: SearchParameter) =>
    Object.entries(a.when ?? {}).some(([other, wanted]) => {
      const others = b.when?.[other];
      return others !== undefined && !wantedValues(others).some((value) => wantedValues(wanted).includes(value));
    });
  return parameters.flatMap(([name, parameter], place) => {
    const [later] = parameters.slice(place + 1).find(([, other]) =>
      other.key === parameter.key && !exclude(parameter, other)
    ) ?? [];
    return later === undefined ? [] : [
      `hpo.search_space.${name}: has no effect where ${later} is sampled, which sets ${parameter.key} too; ` +
      `remove one, for example with ~hpo.search_space.${name}`,
    ];
  });
}

/** Says no to a space that does not fit the trials that a study has already. Names the parameter. */
export function checkFitsTrials({ hpo }: Config, trials: readonly FrozenTrial[]): void {
  const check = (name: string, distribution: Distribution) => {
    const known = trials.find((trial) => name in trial.distributions);
    if (known !== undefined) checkCompatible(name, known.distributions[name], distribution);
  };
  const checker: Suggestions = {
    suggestFloat: (name, low, high, options) => (check(name, floatDistribution(low, high, options)), low),
    suggestInt: (name, low, high, options) => (check(name, intDistribution(low, high, options)), low),
    suggestCategorical: (name, choices) => (check(name, categoricalDistribution(choices)), choices[0]),
  };
  for (const [name, parameter] of Object.entries(hpo.search_space)) suggest(checker, name, parameter);
}

/**
 * Says no to parameters without effect, and to choices that this version cannot train with, before a study meets them.
 * Names the parameter.
 */
export function checkSearchSpace(config: Config): void {
  const leftOut = leftOutParameters(config);
  if (Object.keys(config.hpo.search_space).length === leftOut.size) {
    throw new EntailError("usage", "hpo.search_space: is empty, all trials would be the same; use hpo=optuna");
  }
  checkEffects(config);
  const [augmented] = possibleAugmentations(config);
  const lowest = sampleValues(LOWEST, config);
  for (const [name, { key, choices, low, high }] of Object.entries(config.hpo.search_space)) {
    if (leftOut.has(name)) continue;
    // A method matters only to trials that augment, whatever the configuration itself does.
    const base = key === "augmentation.method" && augmented ? augmented : config;
    const refused = (choices ?? [low!, high!]).flatMap((choice) => {
      try {
        // Beside the lowest values of the others: `chunk_stride` must be less than any `chunk_max_len`.
        withParams(config, { ...lowest, [name]: choice });
        if (key.startsWith("augmentation.")) checkAugmentationKeys(setByPath(base, key, choice));
        return [];
      } catch (error) {
        if (!(error instanceof EntailError)) throw error;
        return [{ choice, error }];
      }
    });
    if (refused.length === 0) continue;
    const left = choices?.filter((choice) => !refused.some((other) => other.choice === choice));
    const remedy = left === undefined
      ? `another range, or ~hpo.search_space.${name}`
      : left.length > 0
      ? `hpo.search_space.${name}.choices=${JSON.stringify(left)}`
      : "hpo=optuna";
    throw new EntailError(
      "usage",
      `hpo.search_space.${name}: ${refused[0].error.message.split(";")[0]}; use ${remedy}`,
    );
  }
}
