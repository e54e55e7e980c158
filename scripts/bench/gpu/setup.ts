/** What all parts of the measurement of a machine have in common. */
import type { Card } from "../../../src/bench/forecast/card.ts";
import { DEBERTA_V3_BASE, POST_LENGTHS, XLM_R_LARGE } from "../architectures.ts";
import { output } from "../parts.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
export const DENO = [Deno.execPath(), "run", "-A", "--quiet", "--no-check", "--config", `${ROOT}deno.json`];
export const ENTAIL = [...DENO, "--frozen", `${ROOT}src/cli/main.ts`];
export const script = (name: string): string => `${ROOT}scripts/bench/${name}`;
export const tests = (path: string): string => `${ROOT}tests/${path}`;

/** An implementation of WebGPU that is there. */
export interface Backend {
  name: "deno" | "dawn";
  adapter: string;
  matrices: boolean;
}

export interface Setup {
  small: boolean;
  python: string;
  /** Deno's own first. */
  backends: readonly Backend[];
  /** Where its figures are known. */
  card?: Card;
  model: Readonly<Record<string, unknown>> & typeof DEBERTA_V3_BASE;
  large: Readonly<Record<string, unknown>>;
  batchSize: number;
  maxLength: number;
  postLengths: readonly number[];
}

/** DeBERTa-v3-base, XLM-R large and a batch of each, or tiny ones of the same kinds with room for the demo's tokenizer. */
export function sizesOf(small: boolean): Pick<Setup, "model" | "large" | "batchSize" | "maxLength" | "postLengths"> {
  if (!small) {
    return { model: DEBERTA_V3_BASE, large: XLM_R_LARGE, batchSize: 24, maxLength: 512, postLengths: POST_LENGTHS };
  }
  const tiny = { hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 64 };
  return {
    model: { ...DEBERTA_V3_BASE, ...tiny, vocab_size: 1100, position_buckets: 8 },
    large: { ...XLM_R_LARGE, ...tiny, vocab_size: 1100 },
    ...{ batchSize: 2, maxLength: 16, postLengths: [16, 9] },
  };
}

/** What `info` says of the adapter by a backend; throws what keeps it from being there. */
export async function describe(name: Backend["name"]): Promise<Backend> {
  const { adapter } = JSON.parse(await output([...ENTAIL, "info", "--json", `gpu.backend=${name}`], 60_000));
  return { name, adapter: adapter.name, matrices: adapter.can.matrices };
}

/** How a row calls what a backend computes. */
export const entailOn = ({ name, matrices }: Backend): string =>
  name === "deno" ? "entail" : matrices ? "entail on Dawn, matrices" : "entail on Dawn";
