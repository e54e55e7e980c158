/** The study that `hpo.*` describes: its storage, sampler and pruner. */
import type { Config } from "../config/config.ts";
import { HyperbandPruner } from "../studies/hyperband_pruner.ts";
import { KeepFirstTrialsPruner } from "../studies/keep_first_trials_pruner.ts";
import { MedianPruner } from "../studies/median_pruner.ts";
import { NopPruner } from "../studies/nop_pruner.ts";
import type { Pruner } from "../studies/pruner.ts";
import { RandomSampler } from "../studies/random_sampler.ts";
import type { Sampler } from "../studies/sampler.ts";
import type { Storage } from "../studies/storage.ts";
import { createStudy, type Study } from "../studies/study.ts";
import { SuccessiveHalvingPruner } from "../studies/successive_halving_pruner.ts";
import { TPESampler } from "../studies/tpe.ts";

/** User attribute of a study: how many trials it is to have, for `status`. */
export const TRIALS_ATTRIBUTE = "entail:n_trials";

export function createSampler({ sampler }: Config["hpo"]): Sampler {
  const seed = sampler.seed ?? undefined;
  if (sampler.type === "random") return new RandomSampler({ seed });
  return new TPESampler({
    seed,
    nStartupTrials: sampler.n_startup_trials,
    multivariate: sampler.multivariate,
    group: sampler.group,
    constantLiar: sampler.constant_liar,
  });
}

/**
 * The pruner. Resources are counted as the objective reports: epochs in `single_split`, folds in `kfold`, where a trial
 * has only `kfold.n_splits` of them, so that a larger `max_resource` would give brackets whose rungs no trial reaches.
 */
export function createPruner({ hpo, kfold }: Config): Pruner {
  const { type, min_resource, max_resource, reduction_factor, bootstrap_count } = hpo.pruner;
  const most = hpo.hpo_mode.mode === "kfold" ? kfold.n_splits : Infinity;
  const minResource = Math.min(min_resource, most);
  const options = { minResource, reductionFactor: reduction_factor };
  switch (type) {
    case "none":
      return new NopPruner();
    case "median":
      return new KeepFirstTrialsPruner(new MedianPruner({ nWarmupSteps: minResource }), bootstrap_count);
    case "successive_halving":
      return new KeepFirstTrialsPruner(new SuccessiveHalvingPruner(options), bootstrap_count);
    case "hyperband": {
      const maxResource = max_resource === "auto" ? "auto" : Math.min(max_resource, most);
      return new KeepFirstTrialsPruner(new HyperbandPruner({ ...options, maxResource }), bootstrap_count);
    }
  }
}

/** Opens the study, making it where it does not exist. */
export async function openConfiguredStudy(config: Config, storage: Storage | string | null): Promise<Study> {
  return await createStudy({
    studyName: config.hpo.study_name,
    storage,
    direction: config.hpo.direction,
    sampler: createSampler(config.hpo),
    pruner: createPruner(config),
    heartbeat: { maxRetries: config.hpo.retry_failed },
    loadIfExists: true,
  });
}
