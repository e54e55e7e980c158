/** Which parameters of a search space can change a trial's value, and where. */
import { conditionNames, type Config, getByPath, type SearchParameter, wantedValues } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import type { ParamValue } from "../studies/distributions.ts";
import { LOSS_KEYS, lossesWith, TAUGHT_LOSSES } from "../training/losses.ts";
import { sampleValues, setterOf, valueOfKey } from "./sampling.ts";

/** What another key must be, or must not be, for a key to have an effect. `is` names several values if any will do. */
type Condition = { key: string; is: ParamValue | readonly ParamValue[] } | { key: string; isNot: ParamValue };

const ADAPTED: Condition = { key: "model.lora.r", isNot: null };
const AUGMENTED: Condition = { key: "augmentation.enable", is: true };
const CHOSEN: Condition = { key: "evaluation.threshold_mode", isNot: "fixed" };
const CHUNKED: Condition = { key: "data.chunk_max_len", isNot: null };
const DEBERTA: Condition = { key: "model.architecture.model_type", is: "deberta-v2" };
const FROM_SCRATCH: Condition = { key: "model.model_name", is: null };
const POOLER: Condition = { key: "model.classifier_head", is: "pooler_linear" };
const OWN_BATCH: Condition = { key: "training.target_effective_batch_size", is: null };

/** Keys, or groups of keys, that have an effect only under conditions. The others always have one. */
const CONDITIONS: Readonly<Record<string, readonly Condition[]>> = {
  "augmentation.method": [AUGMENTED],
  "augmentation.model_name": [AUGMENTED, { key: "augmentation.method", is: "contextual" }],
  "augmentation.prob": [AUGMENTED],
  "data.annotations_csv": [AUGMENTED],
  "data.chunk_stride": [CHUNKED],
  "data.max_length": [{ key: "data.chunk_max_len", is: null }],
  "data.pc_topM_M": [CHUNKED, { key: "data.pc_topM_enable", is: true }],
  "data.pc_topM_enable": [CHUNKED],
  "data.sample_seed": [{ key: "data.sample_size", isNot: null }],
  "data.teacher_scores": [{ key: "model.loss_type", is: TAUGHT_LOSSES }],
  "evaluation.agg_type": [CHUNKED],
  // Where the threshold is fixed, a temperature does no more than another threshold: nothing at 0.5.
  "evaluation.calibration": [CHOSEN],
  "evaluation.lse_tau": [CHUNKED, { key: "evaluation.agg_type", is: "LSE" }],
  "evaluation.threshold_global_init": [{ key: "evaluation.threshold_mode", is: "global" }],
  "evaluation.top_m": [CHUNKED, { key: "evaluation.agg_type", is: "top-m" }],
  "kfold.n_splits": [{ key: "hpo.hpo_mode.mode", is: "kfold" }],
  "model.architecture": [FROM_SCRATCH],
  "model.architecture.attention_probs_dropout_prob": [{ key: "model.attention_dropout", is: null }],
  "model.architecture.hidden_dropout_prob": [{ key: "model.hidden_dropout", is: null }],
  "model.architecture.classifier_dropout": [
    { key: "model.architecture.model_type", isNot: "deberta-v2" },
    { key: "model.classifier_dropout", is: null },
  ],
  "model.architecture.pooler_dropout": [DEBERTA, POOLER],
  "model.architecture.pooler_hidden_act": [DEBERTA, POOLER],
  "model.architecture.pooler_hidden_size": [DEBERTA, POOLER],
  "model.lora": [{ key: "model.freeze_backbone", is: false }, { key: "model.model_name", isNot: null }],
  "model.lora.alpha": [ADAPTED],
  "model.lora.bits": [ADAPTED],
  "model.lora.dropout": [ADAPTED],
  "model.lora.targets": [ADAPTED],
  "model.positive_threshold": [{ key: "evaluation.threshold_mode", isNot: "global" }],
  ...Object.fromEntries(LOSS_KEYS.map((key) => [`model.${key}`, [{ key: "model.loss_type", is: lossesWith(key) }]])),
  "training.batch_size": [OWN_BATCH],
  "training.gradient_accumulation_steps": [OWN_BATCH],
  "training.hard_neg_frac": [{ key: "training.neg_per_pos", isNot: null }],
  "training.layerwise_lr_decay": [{ key: "model.freeze_backbone", is: false }],
  "training.num_epochs": [{ key: "training.max_steps", is: null }],
  "training.xpost_neg_frac": [{ key: "training.neg_per_pos", isNot: null }],
};

/** Keys, or groups of keys, that say how something is computed and not what. */
const WITHOUT_EFFECT = [
  "gpu",
  "model.lora.save",
  "reproducibility",
  "training.eval_batch_size",
  "training.num_workers",
  "training.optimization.fused_adamw",
  "training.optimization.use_torch_compile",
  "training.recompute",
];

/** A key and the groups that it is in. */
const withGroups = (key: string): string[] =>
  key.split(".").map((_, index, names) => names.slice(0, index + 1).join("."));

const conditionsOf = (key: string): Condition[] => withGroups(key).flatMap((group) => CONDITIONS[group] ?? []);

/** The values that a condition names. */
const namedValues = (condition: Condition): readonly ParamValue[] =>
  [("is" in condition ? condition.is : condition.isNot) as ParamValue | ParamValue[]].flat();

const holds = (condition: Condition, value: unknown): boolean =>
  namedValues(condition).includes(value as ParamValue) === ("is" in condition);

const conditionText = (condition: Condition): string =>
  `${condition.key} is ${"is" in condition ? "" : "not "}${namedValues(condition).map(String).join(" or ")}`;

/** Says no to a parameter that has no effect, in any trial or in some in which it is sampled. Names it, and a way out. */
export function checkEffects(config: Config): void {
  for (const [name, { key }] of Object.entries(config.hpo.search_space)) {
    const fault = withGroups(key).some((group) => WITHOUT_EFFECT.includes(group))
      ? `${key} changes no trial's value; leave it out with ~hpo.search_space.${name}`
      : effectFault(config, name);
    if (fault !== undefined) throw new EntailError("usage", `hpo.search_space.${name}: ${fault}`);
  }
}

function effectFault(config: Config, name: string): string | undefined {
  const { key } = config.hpo.search_space[name];
  const without = `leave the parameter out with ~hpo.search_space.${name}`;
  for (const condition of conditionsOf(key)) {
    const values = possibleTrials(config, name, [condition.key]).filter((trial) => Object.hasOwn(trial, name))
      .map((trial) => valueOfKey(config, trial, condition.key));
    if (values.every((value) => holds(condition, value))) continue;
    const met = [...new Set(values.filter((value) => holds(condition, value)))];
    if (met.length > 0) {
      const wanted = met.length === 1 ? `${met[0]}` : `[${met.join(", ")}]`;
      const remedy = "is" in condition ? `add hpo.search_space.${name}.when={${condition.key}: ${wanted}}` : without;
      return `${key} has an effect only where ${conditionText(condition)}; ${remedy}`;
    }
    const isSampled = conditionNames(config.hpo.search_space, condition.key).length > 0;
    const way = isSampled
      ? ""
      : "is" in condition
      ? `set ${condition.key}=${namedValues(condition)[0]}, or `
      : `set ${condition.key}, or `;
    return `${key} has no effect, it needs that ${conditionText(condition)}; ${way}${without}`;
  }
  const setters = possibleTrials(config, name, [key]).flatMap((values) =>
    Object.hasOwn(values, name) ? [setterOf(config, values, key)!] : []
  );
  return setters.length === 0 || setters.includes(name)
    ? undefined
    : `has no effect, ${setters[0]} always replaces its value of ${key}; ${without}`;
}

/** A line for each parameter whose conditions no trial meets, by name. */
export function leftOutParameters(config: Config): Map<string, string> {
  const leftOut = new Map<string, string>();
  for (const [name, { when }] of Object.entries(config.hpo.search_space)) {
    if (when === null || possibleTrials(config, name, []).some((values) => Object.hasOwn(values, name))) continue;
    const [other, values] = Object.entries(when).find(([key, values]) => unmet(config, key, wantedValues(values))) ??
      Object.entries(when)[0];
    const wanted = wantedValues(values).join(" or ");
    const reason = conditionNames(config.hpo.search_space, other).length > 0
      ? `${other} is never ${wanted} in a trial where it could be`
      : `${other} is ${getByPath(config, other)}, not ${wanted}`;
    leftOut.set(name, `hpo.search_space.${name}: left out, ${reason}`);
  }
  return leftOut;
}

const unmet = (config: Config, key: string, wanted: readonly unknown[]): boolean =>
  conditionNames(config.hpo.search_space, key).length === 0 && !wanted.includes(getByPath(config, key));

/** More combinations than this are not looked at. */
const MOST_TRIALS = 2000;

/** The values of trials, one for each combination of what decides about a parameter and about `keys`. */
function possibleTrials(config: Config, name: string, keys: readonly string[]): Record<string, ParamValue>[] {
  const space = config.hpo.search_space;
  const deciders = new Set<string>();
  const follow = (others: readonly string[]): void => {
    for (const decider of others.flatMap((other) => conditionNames(space, other))) {
      if (deciders.has(decider)) continue;
      deciders.add(decider);
      follow(Object.keys(space[decider].when ?? {}));
    }
  };
  follow([...keys, ...Object.keys(space[name].when ?? {})]);
  let combinations: Record<string, ParamValue>[] = [{}];
  for (const decider of deciders) {
    const values = candidates(space, decider);
    combinations = combinations.flatMap((rest) => values.map((value) => ({ ...rest, [decider]: value })))
      .slice(0, MOST_TRIALS);
  }
  return combinations.map((fixed) =>
    sampleValues({
      suggestFloat: (name, low) => fixed[name] as number ?? low,
      suggestInt: (name, low) => fixed[name] as number ?? low,
      suggestCategorical: <T extends ParamValue>(name: string, choices: readonly T[]) =>
        Object.hasOwn(fixed, name) ? fixed[name] as T : choices[0],
    }, config)
  );
}

/** The values that a parameter may have, as far as conditions can tell them apart: those that one names, and one other. */
function candidates(space: Readonly<Record<string, SearchParameter>>, name: string): ParamValue[] {
  const { choices, low, high, key } = space[name];
  const named = [
    ...Object.values(space).flatMap(({ when }) => [when?.[name], when?.[key]].flat()),
    ...Object.values(CONDITIONS).flat().filter((condition) => condition.key === key)
      .flatMap(namedValues),
  ];
  const isNamed = (value: ParamValue) => named.includes(value);
  if (choices !== null) {
    const other = choices.find((choice) => !isNamed(choice));
    return [...choices.filter(isNamed), ...(other === undefined ? [] : [other])];
  }
  const within = named.filter((value) => typeof value === "number" && low! <= value && value <= high!) as number[];
  return [...new Set([low!, high!, ...within])];
}
