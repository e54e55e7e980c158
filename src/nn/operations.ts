/** Every operation that has variants: what the tuning cache depends on, and what `info` and `check` go through. */
import type { Operation, Variant } from "./variants.ts";

// deno-lint-ignore no-explicit-any -- operations of any shape
export const OPERATIONS: readonly Operation<any, Variant<any>>[] = [];
