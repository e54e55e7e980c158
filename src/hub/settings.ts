/** The environment variables of huggingface_hub 2.4, with its defaults. */
import { homedir } from "node:os";
import { join } from "node:path";

export interface HubSettings {
  endpoint: string;
  /** The folder of the cache. */
  cache: string;
  token: string | null;
  /** Nothing is asked of the hub. */
  offline: boolean;
  /** Milliseconds to wait for an answer, and for the next bytes of a file. */
  answerMs: number;
  stallMs: number;
}

const TRUE = /^(1|on|yes|true)$/i;

export function hubSettings(env: (name: string) => string | undefined = (name) => Deno.env.get(name)): HubSettings {
  const home = path(env("HF_HOME")) ?? join(path(env("XDG_CACHE_HOME")) ?? join(homedir(), ".cache"), "huggingface");
  const isSet = (...names: string[]) => names.some((name) => TRUE.test(env(name) ?? ""));
  return {
    endpoint: (env("HF_ENDPOINT") || "https://huggingface.co").replace(/\/+$/, ""),
    cache: path(env("HF_HUB_CACHE")) ?? path(env("HUGGINGFACE_HUB_CACHE")) ?? join(home, "hub"),
    token: cleaned(env("HF_TOKEN")) ?? cleaned(env("HUGGING_FACE_HUB_TOKEN")) ??
      (isSet("HF_HUB_DISABLE_IMPLICIT_TOKEN") ? null : tokenFile(path(env("HF_TOKEN_PATH")) ?? join(home, "token"))),
    offline: isSet("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
    answerMs: milliseconds(env("HF_HUB_ETAG_TIMEOUT")),
    stallMs: milliseconds(env("HF_HUB_DOWNLOAD_TIMEOUT")),
  };
}

const path = (text: string | undefined): string | undefined => text ? text.replace(/^~(?=\/|$)/, homedir()) : undefined;

const cleaned = (token: string | undefined): string | null => token?.trim() || null;

const milliseconds = (seconds: string | undefined): number => (Number(seconds) > 0 ? Number(seconds) : 10) * 1000;

function tokenFile(file: string): string | null {
  try {
    return cleaned(Deno.readTextFileSync(file));
  } catch {
    return null; // whoever never logged in has none
  }
}
