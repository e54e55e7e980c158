/** What a dispatch moves and computes at least: what its time is measured against. */
import { type Dispatch, specOf } from "../gpu/program.ts";
import { parseBindings, specialise } from "../gpu/kernel.ts";
import { elements, type Tensor } from "../gpu/tensor.ts";
import type { BatchSizes } from "../nn/plan.ts";

export interface Work {
  /** Of every tensor that is bound, each byte once for reading and once for writing, as the kernel does either. */
  bytes: number;
  /** Of products and attention, a multiply-add being two; what others compute takes less time than their bytes. */
  flops: number;
}

type StepDispatch = Dispatch<BatchSizes>;

/** How often a kernel touches each element of a variable at least. */
type Touches = ReadonlyMap<string, number>;

const touchesBySpec = new Map<string, Touches>();

/** Work of a dispatch for a batch that fills the room of its tensors. */
export function workOf(dispatch: StepDispatch, sizes: BatchSizes): Work {
  const touches = touchesOf(dispatch);
  const bytes = Object.entries(dispatch.bindings).reduce(
    (sum, [name, tensor]) => sum + (touches.get(name) ?? 0) * bytesOf(dispatch, name, tensor, sizes),
    0,
  );
  return { bytes, flops: flopsOf(dispatch, sizes) };
}

/** From the shader's text: `//#tensor` declares functions for what it reads and what it writes. */
function touchesOf(dispatch: StepDispatch): Touches {
  const spec = specOf(dispatch);
  const key = JSON.stringify(spec);
  const known = touchesBySpec.get(key);
  if (known) return known;
  const { code } = specialise(spec);
  const has = (text: string) => new RegExp(`\\b${text}\\b`).test(code);
  const adds = dispatch.constants?.ACCUMULATE;
  const touches = new Map(
    [...parseBindings(code)].map(([name, { access }]) => {
      const reads = has(`fn load_${name}`);
      if (access !== "read_write") return [name, access === "read" || reads ? 1 : 0]; // words of uniforms do not count
      if (adds === 0 && UPDATED_IF_ADDED.has(name)) return [name, 1];
      return [name, has(`fn store_${name}`) && !reads || ONCE.has(name) ? 1 : 2];
    }),
  );
  touchesBySpec.set(key, touches);
  return touches;
}

/** Results that are read only where the kernel adds to them. */
const UPDATED_IF_ADDED: ReadonlySet<string> = new Set(["c", "y"]);

/** What is declared for both, of which an entry point does one. */
const ONCE: ReadonlySet<string> = new Set([
  ...["rstd", "mask", "partials", "losses", "dLogits", "argmax", "scores"],
  ...["weights", "d_scores", "context", "max_and_sum"],
]);

/** A table of which rows are gathered counts with as many rows as are gathered, a head of attention with its share. */
function bytesOf(
  { kernel, entry, constants, bindings }: StepDispatch,
  name: string,
  tensor: Tensor,
  sizes: BatchSizes,
) {
  if (kernel === "embedding") {
    const rows = entry === "word_gradient" ? sizes.uniqueIds : sizes.tokens;
    const isTable = name === "word" || name === "position_table" || name === "type_table" || name === "gradient";
    if (isTable) return Math.min(tensor.bytes, rows * tensor.bytes / tensor.shape[0]);
  }
  const heads = Number(constants?.HEADS ?? 0);
  if (heads === 0 || !("offsets" in bindings)) return tensor.bytes;
  const chunks = Math.ceil(sizes.tokens / Number(constants?.CHUNK ?? sizes.tokens));
  if (OF_A_PART.has(name)) return tensor.bytes;
  const ofAllHeads = OF_ALL_HEADS.has(name) && tensor.shape[0] >= sizes.tokens;
  const share = ofAllHeads ? Number(constants!.GROUP_HEADS) / heads : 1;
  const parts = OF_QUERIES.has(name) ? partsOf(bindings, constants, sizes) : 1;
  return tensor.bytes * share / chunks / parts;
}

/** Tensors of attention that hold every head, of which a dispatch takes a group. */
const OF_ALL_HEADS: ReadonlySet<string> = new Set([
  ...["query", "keys", "values", "queries", "d_contexts", "context", "d_context", "max_and_sum"],
  ...["d_query", "d_key", "d_value"],
]);

/** Those that hold the pairs of a chunk and a part alone. */
const OF_A_PART: ReadonlySet<string> = new Set(["weights", "d_scores"]);

/** Those of which a dispatch for a part of the queries touches that part. */
const OF_QUERIES: ReadonlySet<string> = new Set([
  ...["query", "queries", "context", "max_and_sum", "d_context", "d_contexts", "d_query"],
]);

/** How many parts the queries of a sequence are taken in. */
const partsOf = ({ part }: StepDispatch["bindings"], constants: StepDispatch["constants"], { longest }: BatchSizes) =>
  part ? Math.ceil(longest / Number(constants?.PART)) : 1;

/** Operations for a pair of tokens, as multiples of the head size: the scores again, and what is summed over them. */
const ATTENTION_FLOPS: Readonly<Record<string, number>> = { forward: 4, backward_query: 6, backward_key: 4 };

function flopsOf({ kernel, entry, constants = {}, bindings }: StepDispatch, sizes: BatchSizes): number {
  const constant = (name: string) => Number(constants[name]);
  if (kernel.startsWith("product_") && entry === "product") {
    const rows = elements(bindings.a.shape) / constant("A_STRIDE");
    return 2 * (constant("M") || rows) * constant("N") * (constant("K") || rows) * constant("BATCH");
  }
  if (kernel.startsWith("attention_") && entry in ATTENTION_FLOPS && "HEAD_SIZE" in constants) {
    const dispatches = Math.ceil(sizes.tokens / constant("CHUNK")) * partsOf(bindings, constants, sizes);
    const pairs = sizes.tokens * sizes.longest / dispatches;
    return ATTENTION_FLOPS[entry] * pairs * constant("HEAD_SIZE") * constant("GROUP_HEADS");
  }
  return 0;
}
