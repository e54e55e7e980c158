/** What a chart's option says instead of functions, so that it is nothing but data. Runs in browsers too. */
import { tickText } from "./labels.ts";

/** How numbers become labels. */
export type Formatter =
  /** As they are, short. */
  | { readonly $format: "tick" }
  /** The texts of some places on an axis, nothing elsewhere. */
  | { readonly $format: "labels"; readonly labels: readonly (readonly [at: number, text: string])[] };

/** A formatter where ECharts' types want a function. */
export const formatter = (mark: Formatter): (value: string | number) => string =>
  mark as unknown as (value: string | number) => string;

function formatterOf(mark: Formatter): (value: string | number) => string {
  if (mark.$format === "tick") return (value) => tickText(Number(value));
  const texts = new Map(mark.labels);
  return (value) => texts.get(Number(value)) ?? "";
}

/** A copy of an option with functions in place of their marks, and other colours. */
export function revived<Option>(option: Option, colourOf: (colour: string) => string = (colour) => colour): Option {
  const copy = (value: unknown): unknown => {
    if (typeof value === "string") return value.startsWith("#") ? colourOf(value) : value;
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(copy);
    if ("$format" in value) return formatterOf(value as Formatter);
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copy(each)]));
  };
  return copy(option) as Option;
}
