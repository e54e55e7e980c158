/** The families of models, by `model_type`: adding one is its folder, a line here and a fixture. */
import { bert } from "./bert/family.ts";
import { deberta } from "./deberta/family.ts";
import type { Family } from "./family.ts";
import type { ModelConfig } from "./model_config.ts";
import { roberta, xlmRoberta } from "./roberta/family.ts";

const FAMILIES: readonly Family[] = [deberta, bert, roberta, xlmRoberta];

export const MODEL_TYPES: readonly string[] = FAMILIES.map(({ modelType }) => modelType);

export const familyOfType = (modelType: unknown): Family | undefined =>
  FAMILIES.find((family) => family.modelType === modelType);

export function familyOf({ modelType }: Pick<ModelConfig, "modelType">): Family {
  const family = familyOfType(modelType);
  if (!family) throw new Error(`no family is registered as ${modelType}`);
  return family;
}
