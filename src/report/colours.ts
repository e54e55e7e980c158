/** The colours of the charts. As hexadecimal triples, so that a page can put its own in their place. */
export const COLOURS = {
  paper: "#ffffff",
  ink: "#1f2328",
  faint: "#656d76",
  line: "#afb8c1",
  grid: "#eaeef2",
  complete: "#0969da",
  pruned: "#8c959f",
  best: "#d1570b",
} as const;

/** Between two colours, `share` of the way. */
export function blend(from: string, to: string, share: number): string {
  const parts = [1, 3, 5].map((at) => {
    const [a, b] = [from, to].map((colour) => parseInt(colour.slice(at, at + 2), 16));
    return Math.round(a + (b - a) * share).toString(16).padStart(2, "0");
  });
  return `#${parts.join("")}`;
}
