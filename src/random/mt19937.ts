import { EntailError } from "../errors.ts";

const N = 624;
const M = 397;

/** A generator's state as plain data, so that a run can store it as JSON and continue the stream. */
export interface Mt19937State {
  /** The 624 state words. */
  key: number[];
  /** Index of the next word, 624 when all are used. */
  position: number;
}

/**
 * NumPy's legacy `RandomState(seed)`: MT19937 seeded with the classic `init_genrand` (Matsumoto and Nishimura, 2002),
 * and the draws of `numpy/random/mtrand.pyx` that scikit-learn and Optuna build on.
 */
export class Mt19937 {
  readonly #key = new Uint32Array(N);
  #position = N;

  /** `seed` is an integer in [0, 2³²); throws a usage error otherwise. */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new EntailError("usage", `seed: must be an integer from 0 to 4294967295, not ${seed}`);
    }
    let word = seed >>> 0;
    for (let i = 0; i < N; i++) {
      this.#key[i] = word;
      word = (Math.imul(1812433253, word ^ (word >>> 30)) + i + 1) >>> 0;
    }
  }

  /** The next 32 random bits. */
  nextUint32(): number {
    if (this.#position === N) this.#refill();
    let y = this.#key[this.#position++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** A double in [0, 1) with 53 random bits, as `RandomState.random_sample()`. */
  random(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** A uniform integer in [0, max] for max < 2³², by NumPy's masked rejection; draws nothing for max = 0. */
  interval(max: number): number {
    if (max === 0) return 0;
    const mask = 0xffffffff >>> Math.clz32(max);
    let value: number;
    do value = (this.nextUint32() & mask) >>> 0; while (value > max);
    return value;
  }

  /** Shuffles in place, as `RandomState.shuffle` does with a one-dimensional array. */
  shuffle<T>(array: { length: number; [index: number]: T }): void {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.interval(i);
      const kept = array[i];
      array[i] = array[j];
      array[j] = kept;
    }
  }

  /** A copy of the state. */
  getState(): Mt19937State {
    return { key: [...this.#key], position: this.#position };
  }

  /** Continues from a stored state; throws a data error if it is not one. */
  setState(state: Mt19937State): void {
    const { key, position } = state;
    const valid = Array.isArray(key) && key.length === N && Number.isInteger(position) && position >= 0 &&
      position <= N && key.every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffffffff);
    if (!valid) throw new EntailError("data", "random state: expected 624 words of 32 bits and a position up to 624");
    this.#key.set(key);
    this.#position = position;
  }

  #refill(): void {
    const key = this.#key;
    for (let i = 0; i < N; i++) {
      const y = (key[i] & 0x80000000) | (key[(i + 1) % N] & 0x7fffffff);
      key[i] = key[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#position = 0;
  }
}
