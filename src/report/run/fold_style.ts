/** How the curves of folds are told from each other, while there are not too many. */
import { HUES } from "../colours.ts";

export interface CurveStyle {
  readonly name: string;
  readonly colour: string;
}

export interface FoldStyles {
  of(fold: number): CurveStyle;
  readonly legend: readonly CurveStyle[];
}

/** Each fold in a colour of its own, the same in every chart; more folds than colours all look alike. */
export function foldStyles(folds: readonly { fold: number }[]): FoldStyles {
  const alike = { name: "folds", colour: HUES[0] };
  const of = (fold: number) => ({ name: `fold ${fold}`, colour: HUES[fold] });
  const areMany = folds.some(({ fold }) => fold >= HUES.length);
  return areMany ? { of: () => alike, legend: [alike] } : { of, legend: folds.map(({ fold }) => of(fold)) };
}
