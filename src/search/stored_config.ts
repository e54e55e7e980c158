/** The configuration that a study carries with it. */
import { type Config, parseConfigText } from "../config/config.ts";
import type { JsonValue } from "../studies/python_text.ts";
import { CONFIG_ATTRIBUTE } from "./study_setup.ts";

/** The configuration in a study's user attributes; null where it was made by another program. */
export function storedConfig(userAttrs: Readonly<Record<string, JsonValue>>): Config | null {
  const text = userAttrs[CONFIG_ATTRIBUTE];
  return typeof text === "string" ? parseConfigText(text, `study attribute ${CONFIG_ATTRIBUTE}`) : null;
}
