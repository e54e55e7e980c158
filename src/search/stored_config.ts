/** The configurations that a study carries with it: the latest, and the one of each trial. */
import { createHash } from "node:crypto";
import { type Config, parseOldConfigText, printConfig } from "../config/config.ts";
import { withoutPasswords } from "../formats/secrets.ts";
import type { FrozenTrial } from "../studies/frozen_trial.ts";
import type { StudyRecord } from "../studies/storage.ts";
import type { Study } from "../studies/study.ts";

/**
 * User attribute: a configuration's version, of a study that of its latest sitting, of a trial the one that it trained
 * with. The text itself is the study's system attribute `entail:config:<version>`, which tables of attributes leave out.
 */
export const CONFIG_ATTRIBUTE = "entail:config";

/** A study's attributes; programs up to the first version kept the texts with the user's. */
type Attributes = Pick<StudyRecord, "userAttrs" | "systemAttrs">;

const textKey = (version: unknown): string => `${CONFIG_ATTRIBUTE}:${version}`;

/** Stores a configuration as the latest and returns its version, which depends on nothing but its text. */
export async function storeConfig(study: Study, config: Config): Promise<string> {
  const text = printConfig(config);
  const version = createHash("sha256").update(text).digest("hex").slice(0, 12);
  const before = await study.record();
  await moveTexts(study, before);
  if (before.systemAttrs[textKey(version)] !== text) await setText(study, version, text);
  if (before.userAttrs[CONFIG_ATTRIBUTE] !== version) await study.setUserAttr(CONFIG_ATTRIBUTE, version);
  return version;
}

const setText = (study: Study, version: string, text: string): Promise<void> =>
  study.storage.setStudyAttr(study.studyId, "system", textKey(version), text);

/** Moves the texts of the first version, which may hold passwords, from the user attributes to where they are now. */
async function moveTexts(study: Study, { userAttrs }: Attributes): Promise<void> {
  for (const [key, text] of Object.entries(userAttrs)) {
    const version = key.startsWith(textKey("")) ? key.slice(textKey("").length) : null;
    if (version === null || typeof text !== "string" || text === version) continue;
    await setText(study, version, withoutPasswords(text));
    await study.setUserAttr(key, version);
  }
}

/** The latest configuration of a study; null where it was made by another program. */
export function storedConfig(attributes: Attributes): Config | null {
  const latest = attributes.userAttrs[CONFIG_ATTRIBUTE];
  if (typeof latest === "string" && latest.includes("\n")) return parse(latest, CONFIG_ATTRIBUTE);
  return configAt(attributes, latest);
}

/** The configuration that a trial sampled its values into; the latest where the trial does not say which. */
export function configOfTrial(attributes: Attributes, { userAttrs }: Pick<FrozenTrial, "userAttrs">): Config | null {
  return configAt(attributes, userAttrs[CONFIG_ATTRIBUTE]) ?? storedConfig(attributes);
}

function configAt({ userAttrs, systemAttrs }: Attributes, version: unknown): Config | null {
  const key = textKey(version);
  const text = systemAttrs[key] ?? userAttrs[key];
  return typeof text === "string" ? parse(text, key) : null;
}

const parse = (text: string, key: string): Config => parseOldConfigText(text, `study attribute ${key}`);
