/** The settings of the original's two studies, as its status page promises them. */
import { type Config, getByPath } from "../config/config.ts";

export interface Difference {
  key: string;
  promised: string;
  found: string;
}

const SETTINGS: readonly [key: string, promised: unknown][] = [
  ["training.num_epochs", 100],
  ["training.early_stopping_patience", 20],
  ["training.max_steps", null],
  ["kfold.n_splits", 5],
  ["kfold.group_by_post", true],
  ["hpo.n_trials", 2000],
  ["hpo.direction", "maximize"],
  ["hpo.hpo_mode.mode", "kfold"],
  ["hpo.pruner.type", "hyperband"],
  ["hpo.pruner.reduction_factor", 4],
  ["hpo.pruner.bootstrap_count", 30],
  ["hpo.sampler.type", "tpe"],
  ["model.loss_type", "focal"],
  ["data.sample_size", null],
];

const float = (low: number, high: number, log = false) => ({ type: "float", low, high, log, step: null });
const categorical = (...choices: unknown[]) => ({ type: "categorical", choices });

const SPACE: Readonly<Record<string, object>> = {
  "training.learning_rate": float(1e-6, 5e-5, true),
  "training.target_effective_batch_size": categorical(16, 32, 64, 128, 256),
  "training.scheduler_type": categorical("linear", "cosine", "cosine_with_restarts"),
  "training.weight_decay": float(0, 0.1),
  "training.warmup_ratio": float(0, 0.2),
  "model.classifier_dropout": float(0.1, 0.5),
  "model.hidden_dropout": float(0, 0.3),
  "model.attention_dropout": float(0, 0.3),
  "model.focal_gamma": categorical(1, 2, 3),
};

/** Only in the study with augmentation. */
const AUGMENTATION: Readonly<Record<string, object>> = {
  "augmentation.enable": categorical(true, false),
  "augmentation.prob": float(0.1, 0.5),
  "augmentation.method": categorical("synonym", "contextual"),
};

/** By the names under which `scripts/launch_studies` runs them. */
const STUDIES: Readonly<Record<string, Readonly<Record<string, object>>>> = {
  deberta_base_no_aug: SPACE,
  deberta_base_aug: { ...SPACE, ...AUGMENTATION },
};

/** Every setting and range that is not the original's; null for a study that is not meant to be one of the original's. */
export function originalDifferences(config: Config): Difference[] | null {
  const { study_name: studyName } = config.hpo;
  if (!Object.hasOwn(STUDIES, studyName)) return null;
  const differences: Difference[] = [];
  const compare = (key: string, promised: unknown, found: unknown) => {
    if (JSON.stringify(promised) === JSON.stringify(found)) return;
    differences.push({ key, promised: shown(promised), found: shown(found) });
  };
  for (const [key, promised] of SETTINGS) compare(key, promised, getByPath(config, key));

  const parameters = Object.values(config.hpo.search_space);
  const promisedSpace = STUDIES[studyName];
  for (const [key, promised] of Object.entries(promisedSpace)) {
    const parameter = parameters.find((candidate) => candidate.key === key) as Record<string, unknown> | undefined;
    const found = parameter && Object.fromEntries(Object.keys(promised).map((field) => [field, parameter[field]]));
    compare(`hpo.search_space of ${key}`, promised, found);
  }
  for (const { key } of parameters) {
    if (!(key in promisedSpace)) compare(`hpo.search_space of ${key}`, undefined, key);
  }
  return differences;
}

const shown = (value: unknown): string => value === undefined ? "absent" : JSON.stringify(value).replaceAll('"', "");
