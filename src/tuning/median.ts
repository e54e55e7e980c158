/** The middle of some times: what a run that was disturbed does not move. */
export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];
