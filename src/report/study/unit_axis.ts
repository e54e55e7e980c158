/** Where values lie on an axis of their own: parameters of any kind on one scale from 0 to 1. */
import type { FrozenTrial } from "../../studies/frozen_trial.ts";
import { tickText } from "../labels.ts";
import { plain } from "../markdown.ts";
import { type Span, within } from "../span.ts";
import { linearTicks, logTicks } from "../ticks.ts";

export interface Tick {
  readonly at: number;
  readonly label: string;
}

export interface UnitAxis {
  readonly name: string;
  readonly ticks: readonly Tick[];
  /** Of each trial: from 0 to 1, or `ABSENT`. */
  readonly positions: readonly number[];
  /** Its ticks are all there is, and nothing lies between them. */
  readonly isChoice: boolean;
}

/** Below the axis: the place of trials that do not have a parameter. */
export const ABSENT = -0.15;

/**
 * An axis of finite numbers, null where a trial has none; logarithmic if asked. Those beyond `span`, if there is one, stand
 * at its ends.
 */
export function numericAxis(
  name: string,
  values: readonly (number | null)[],
  { log = false, span }: { log?: boolean; span?: Span } = {},
): UnitAxis {
  const present = values.filter((value) => value !== null);
  const { low, high } = span ?? {
    low: present.reduce((a, b) => Math.min(a, b), Infinity),
    high: present.reduce((a, b) => Math.max(a, b), -Infinity),
  };
  const scale = log && low > 0 ? Math.log : (value: number) => value;
  const range = scale(high) - scale(low);
  // A single value stands in the middle.
  const place = (value: number) => range > 0 ? (scale(value) - scale(low)) / range : 0.5;
  const ticks = log && low > 0 && high > low ? logTicks(low, high) : linearTicks(low, high);
  return {
    name: plain(name),
    ticks: ticks.map((tick) => ({ at: place(tick), label: tickText(tick) })).filter(({ at }) =>
      at > -1e-6 && at < 1 + 1e-6
    ),
    positions: values.map((value) => value === null ? ABSENT : place(within({ low, high }, value))),
    isChoice: false,
  };
}

/** The axis of a parameter over trials, some of which may not have it; each has its own domain, at least one has any. */
export function parameterAxis(name: string, trials: readonly FrozenTrial[]): UnitAxis {
  const distributions = trials.flatMap(({ distributions }) => distributions[name] ?? []);
  if (distributions.every(({ kind }) => kind !== "categorical")) {
    const log = distributions.some((distribution) => distribution.kind !== "categorical" && distribution.log);
    return numericAxis(name, trials.map(({ internalParams }) => internalParams[name] ?? null), { log });
  }
  const choices = new Set(distributions.flatMap((distribution) => {
    return distribution.kind === "categorical" ? distribution.choices.map(String) : [];
  }));
  for (const { params } of trials) if (Object.hasOwn(params, name)) choices.add(String(params[name]));
  const labels = [...choices];
  const place = (label: string) => labels.length === 1 ? 0.5 : labels.indexOf(label) / (labels.length - 1);
  return {
    name: plain(name),
    ticks: labels.map((label) => ({ at: place(label), label: plain(label) })),
    positions: trials.map(({ params }) => Object.hasOwn(params, name) ? place(String(params[name])) : ABSENT),
    isChoice: true,
  };
}
