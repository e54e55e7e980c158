import type { Direction, FrozenTrial } from "../../studies/frozen_trial.ts";

/** What the charts of a study are drawn from. */
export interface PlottedStudy {
  readonly trials: readonly FrozenTrial[];
  readonly direction: Direction;
  /** By parameter, the largest first. */
  readonly importances: readonly (readonly [name: string, share: number])[];
  /** What a value is called: "F1" or "value". */
  readonly valueName: string;
  /** What the intermediate values are; null where nothing says. */
  readonly reported: string | null;
  /** When running trials are looked at. */
  readonly now: Date;
}

/** Parameters that charts with a place for each one show; the most important ones where there are more. */
const MOST_PARAMETERS = 16;

export const topParameters = ({ importances }: PlottedStudy, most = MOST_PARAMETERS): string[] =>
  importances.slice(0, most).map(([name]) => name);

/** A sentence where not all parameters are shown. */
export const someText = ({ importances }: PlottedStudy, most = MOST_PARAMETERS): string =>
  importances.length > most ? ` The ${most} most important parameters.` : "";
