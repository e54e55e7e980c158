/** The configurations that a study carries with it: the latest, and the one of each trial. */
import { createHash } from "node:crypto";
import { type Config, parseConfigText, printConfig } from "../config/config.ts";
import type { FrozenTrial } from "../studies/frozen_trial.ts";
import type { JsonValue } from "../studies/python_text.ts";
import type { Study } from "../studies/study.ts";

/**
 * User attribute. Of a study: the configuration that it was last continued with; followed by `:` and a version, one that
 * it was ever run with. Of a trial: the version that it trained with.
 */
export const CONFIG_ATTRIBUTE = "entail:config";

type Attributes = Readonly<Record<string, JsonValue>>;

/** Stores a configuration as the latest and returns its version, which depends on nothing but its text. */
export async function storeConfig(study: Study, config: Config): Promise<string> {
  const text = printConfig(config);
  const version = createHash("sha256").update(text).digest("hex").slice(0, 12);
  const stored = await study.userAttrs();
  for (const key of [CONFIG_ATTRIBUTE, `${CONFIG_ATTRIBUTE}:${version}`]) {
    if (stored[key] !== text) await study.setUserAttr(key, text);
  }
  return version;
}

/** The latest configuration in a study's user attributes; null where it was made by another program. */
export function storedConfig(studyAttrs: Attributes): Config | null {
  return configAt(studyAttrs, CONFIG_ATTRIBUTE);
}

/** The configuration that a trial sampled its values into; the latest where the trial does not say which. */
export function configOfTrial(studyAttrs: Attributes, { userAttrs }: Pick<FrozenTrial, "userAttrs">): Config | null {
  return configAt(studyAttrs, `${CONFIG_ATTRIBUTE}:${userAttrs[CONFIG_ATTRIBUTE]}`) ?? storedConfig(studyAttrs);
}

function configAt(attributes: Attributes, key: string): Config | null {
  const text = attributes[key];
  return typeof text === "string" ? parseConfigText(text, `study attribute ${key}`) : null;
}
