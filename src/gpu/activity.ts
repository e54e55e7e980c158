/** Whether a device has work, as the host sees it. */

export interface Activity {
  /** Work is being submitted; returns its number. */
  submitted(): number;
  /** The host has seen that the work with this number, and with it all before, is done. */
  finished(number: number): void;
  /** Milliseconds without work so far. A device that waits for the host between two submissions counts as busy. */
  idleMilliseconds(): number;
}

export function createActivity(now: () => number = () => performance.now()): Activity {
  let last = 0;
  let idle = 0;
  let idleSince: number | null = now();
  return {
    submitted() {
      if (idleSince !== null) idle += now() - idleSince;
      idleSince = null;
      return ++last;
    },
    finished(number) {
      if (number === last) idleSince ??= now();
    },
    idleMilliseconds: () => idle + (idleSince === null ? 0 : now() - idleSince),
  };
}
