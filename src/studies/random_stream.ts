/** A stream of uniform numbers that knows its position, so that it can be continued in another process. */

import { Mt19937 } from "../random/mt19937.ts";

/**
 * Uniform doubles in [0, 1) of NumPy's `RandomState(seed).random_sample()`. The position is the number of doubles
 * drawn since seeding: two numbers describe the whole state.
 */
export class RandomStream {
  #generator: Mt19937;
  #position = 0;

  /** NumPy's `RandomState(seed)`. */
  constructor(seed: number) {
    this.#generator = new Mt19937(seed);
  }

  /** Numbers drawn so far. */
  get position(): number {
    return this.#position;
  }

  /** The next one, in [0, 1). */
  next(): number {
    this.#position++;
    return this.#generator.random();
  }

  /** `RandomState.uniform(low, high)`. */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Moves forward to a position; a position already passed is left as it is. */
  advanceTo(position: number): void {
    while (this.#position < position) this.next();
  }
}

/** A seed from the operating system, for samplers that were given none. */
export function entropySeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}
