/** Every operation that has variants: what the tuning cache depends on, and what `info` lists. */
import { ATTENTION } from "./attention_variants.ts";
import { PRODUCT } from "./product.ts";
import { ROW } from "./rows.ts";
import type { Operation, Variant } from "./variants.ts";

// deno-lint-ignore no-explicit-any -- operations of any shape
export const OPERATIONS: readonly Operation<any, Variant<any>>[] = [PRODUCT, ATTENTION, ROW];
