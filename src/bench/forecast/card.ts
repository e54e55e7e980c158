/** What cards can do at most, by their makers' data sheets, and the adapter that each would be to a plan. */
import { EMULATED } from "../../gpu/matrix.ts";
import { countingGpu } from "../../gpu/counting.ts";
import { denoBackend } from "../../gpu/deno.ts";
import type { Gpu } from "../../gpu/device.ts";

export interface Card {
  readonly name: string;
  /** How adapters name it. */
  readonly pattern: RegExp;
  /** Streaming multiprocessors, compute units, Xe or GPU cores. */
  readonly units: number;
  readonly gigahertz: number;
  /** f32 operations of a unit in a clock, a multiply-add being two. */
  readonly fma: number;
  /** The same by its matrix units: f16 operands, f32 sums. */
  readonly matrix: number;
  /** Billions of bytes a second. */
  readonly gbps: number;
  /** Of memory. */
  readonly gigabytes: number;
  /** Invocations of a subgroup, the sizes that it may have. */
  readonly subgroups: readonly number[];
}

export const CARDS: readonly Card[] = [
  {
    ...{ name: "H100 SXM", pattern: /H100 80GB HBM3/, units: 132, gigahertz: 1.98, fma: 256, matrix: 4096 },
    ...{ gbps: 3350, gigabytes: 80, subgroups: [32] },
  },
  {
    ...{ name: "H200", pattern: /H200/, units: 132, gigahertz: 1.98, fma: 256, matrix: 4096 },
    ...{ gbps: 4800, gigabytes: 141, subgroups: [32] },
  },
  {
    ...{ name: "RTX 4090", pattern: /RTX 4090(?! Laptop)/, units: 128, gigahertz: 2.52, fma: 256, matrix: 512 },
    ...{ gbps: 1008, gigabytes: 24, subgroups: [32] },
  },
  {
    // Pairs of instructions, which would double f32, are not counted on: compilers seldom find them.
    ...{ name: "Radeon RX 7900 XTX", pattern: /7900 XTX/, units: 96, gigahertz: 2.5, fma: 128, matrix: 512 },
    ...{ gbps: 960, gigabytes: 24, subgroups: [32, 64] },
  },
  {
    ...{ name: "Arc B580", pattern: /B580/, units: 20, gigahertz: 2.67, fma: 256, matrix: 2048 },
    ...{ gbps: 456, gigabytes: 12, subgroups: [16, 32] },
  },
  {
    // Its matrices are multiplied by the ordinary units.
    ...{ name: "M4 Max (40 cores)", pattern: /M4 Max/, units: 40, gigahertz: 1.8, fma: 256, matrix: 256 },
    ...{ gbps: 546, gigabytes: 128, subgroups: [32] },
  },
];

/** The card that an adapter is, if its figures are known. */
export const cardOf = (adapter: string): Card | undefined => CARDS.find(({ pattern }) => pattern.test(adapter));

/** A device that plans as on the card and allocates nothing; `matrices`: whether the backend has tensor cores. */
export function paperGpu(
  { name, subgroups: [subgroup] }: Card,
  { matrices }: { matrices: boolean },
): ReturnType<typeof countingGpu> {
  const planned: Partial<Gpu> = {
    backend: denoBackend(),
    name,
    kind: "hardware",
    can: { f16: true, subgroups: true, matrices },
    matrix: { ...EMULATED, subgroup, emulated: false },
    subgroupSize: subgroup,
    hasTimestamps: true,
    maxBindingBytes: 2 ** 31 - 4,
    maxBufferBytes: 2 ** 32,
    maxWorkgroupBytes: 48 << 10,
    workspaceBytes: 256 << 20,
    tuned: new Map(),
  };
  return countingGpu(planned as Gpu);
}
