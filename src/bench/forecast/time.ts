/**
 * How long work takes on a card:
 *
 *     launch + √(operations² + bytes²) + scattered reads + random numbers
 *
 * each as the milliseconds that it would take alone. Operations and bytes overlap in part, hence the root of the squares.
 * What cards attain of their figures is fitted on a few measurements of hand-written WGSL on an H100 (measured.ts says
 * which), and taken for the same elsewhere.
 */
import type { Card } from "./card.ts";

/** What a dispatch does, whatever the card. */
export interface Work {
  /** Bytes that cross the device's memory. */
  bytes: number;
  /** Floating-point operations of products. */
  flops?: number;
  /** Which kernel does them: each attains another share. */
  core?: keyof typeof CORES;
  /** Operations for each byte that they read from workgroup memory. */
  perLocalByte?: number;
  /** By how much what begins and ends a workgroup makes it longer. */
  overhead?: number;
  /** Reads of single elements here and there. */
  gathers?: number;
  /** Calls of Philox, four words each. */
  draws?: number;
  /** Reads of an invocation that wait for one another. */
  serial?: number;
  workgroups?: number;
}

/**
 * What is attained: of the rate of f32, of 128 bytes of workgroup memory a clock and unit; operations of a unit and clock
 * by matrix units, however many more they could do.
 */
const CORES = {
  product: { fma: 0.91, local: 0.66, matrix: null },
  attention: { fma: 0.91, local: 0.5, matrix: null },
  "product on matrices": { fma: null, local: null, matrix: 1200 },
  "attention on matrices": { fma: null, local: null, matrix: 325 },
} as const;

const LOCAL_BYTES = 128;
/** Of the rate of matrix units, where this is less than the above. Not measured. */
const MATRIX_SHARE = 0.8;
const MEMORY_SHARE = 0.9;
/** Of a unit and clock. */
const GATHERS = 3.5;
const DRAWS = 0.45;
/** Of a dispatch that needs the one before. */
const LAUNCH_MS = 3e-3;
/** From a read to the next that needs it, a few of which a compiler lets overlap. Not measured. */
const READ_MS = 1.5e-4;

/** Milliseconds of a dispatch. */
export function timeOf(work: Work, card: Card): number {
  const { bytes, gathers = 0, draws = 0, serial = 0 } = work;
  const clocks = card.units * card.gigahertz * 1e6; // a millisecond
  const memory = bytes / (MEMORY_SHARE * card.gbps * 1e6);
  const scattered = gathers / (GATHERS * clocks);
  const drawn = draws / (DRAWS * clocks);
  return LAUNCH_MS + Math.max(Math.hypot(computeOf(work, card, clocks), memory) + scattered + drawn, serial * READ_MS);
}

function computeOf(
  { flops = 0, core = "product", perLocalByte = 2, overhead = 1, workgroups }: Work,
  card: Card,
  clocks: number,
): number {
  if (flops === 0) return 0;
  const { fma, local, matrix } = CORES[core];
  const rate = matrix === null
    ? Math.min(fma * card.fma, local * LOCAL_BYTES * perLocalByte)
    : Math.min(matrix, MATRIX_SHARE * card.matrix);
  return flops / (rate * clocks) * overhead * unevenness(workgroups, card);
}

/** The unit with the most workgroups over the mean. */
const unevenness = (workgroups: number | undefined, { units }: Card): number =>
  workgroups ? Math.ceil(workgroups / units) * units / workgroups : 1;
