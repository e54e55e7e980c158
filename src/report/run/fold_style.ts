/** How the curves of folds are told from each other. */
import { HUES } from "../colours.ts";

const DASHES = ["solid", "dashed", "dotted"] as const;

export const foldName = (fold: number): string => `fold ${fold}`;
export const foldColour = (fold: number): string => HUES[fold % HUES.length];
/** Another dash where the colours begin again. */
export const foldDash = (fold: number) => DASHES[Math.floor(fold / HUES.length) % DASHES.length];

export const foldLegend = (folds: readonly { fold: number }[]) =>
  folds.map(({ fold }) => ({ name: foldName(fold), colour: foldColour(fold) }));
