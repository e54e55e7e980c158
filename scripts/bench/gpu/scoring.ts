/** Scoring pairs of MNLI's lengths, beside transformers. */
import { output, type Part, type Row } from "../parts.ts";
import { type Backend, DENO, entailOn, script, type Setup } from "./setup.ts";

export const scoringPart = ({ small, python }: Setup, backend: Backend): Part => ({
  name: `scoring ${backend.name}`,
  limitSeconds: 120,
  async measure(limitMs) {
    const asked = small ? ["--pairs", "100"] : ["--base", "--python", python];
    const args = [...DENO, script("scoring.ts"), "--json", "--backend", backend.name, ...asked];
    const { pairs, seconds, busy, precision, beside } = JSON.parse(await output(args, limitMs));
    const what = `predict, ${pairs} pairs`;
    const row = (by: string, seconds: number, note?: string): Row => ({
      what,
      by,
      ms: seconds * 1000,
      rate: `${(pairs / seconds).toPrecision(3)} pairs/s`,
      note,
    });
    const share = busy === null ? undefined : `busy ${(100 * busy).toFixed(0)} %`;
    return [
      row(`${entailOn(backend)}, ${precision}`, seconds, share),
      ...beside === undefined ? [] : [
        "name" in beside
          ? row(beside.name, beside.seconds, `logits within ${beside.largestDifference.toPrecision(2)}`)
          : { what, by: "transformers", note: `failed: ${beside.failed}` },
      ],
    ];
  },
});
