/** Numbers and texts for people. */

/** "4 s", "2 min 10 s", "3 h 5 min". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
}

/** A parameter's value. Four significant digits are enough to tell values apart at a glance. */
export function paramText(value: null | boolean | number | string): string {
  if (typeof value !== "number" || Number.isInteger(value)) return `${value}`;
  return Math.abs(value) < 1e-3 ? value.toExponential(3) : `${Number(value.toPrecision(4))}`;
}

/** A number of epochs, the last of which `training.max_steps` may have cut short: two decimals at most. */
export const epochsText = (epochs: number): string => `${Number(epochs.toFixed(2))}`;

const MEGABYTE = 1e6;

/** Progress in megabytes out of that in bytes: whole ones, and all of them only at the end. */
export const inMegabytes = (tell: (done: number, total: number) => void) => (done: number, total: number): void => {
  const megabytes = Math.ceil(total / MEGABYTE);
  tell(done === total ? megabytes : Math.floor(done / MEGABYTE), megabytes);
};

/** "12.5 %"; a dash where there is nothing to share. */
export const percent = (share: number | null): string => share === null ? "–" : `${(share * 100).toFixed(1)} %`;

/** A text of somebody else's as a message quotes it: one line, and not all of a long one. */
export function inShort(text: string, longest = 300): string {
  // deno-lint-ignore no-control-regex
  const line = text.slice(0, longest + 1).replace(/[\u0000-\u001f\u007f]+/g, " ");
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}
