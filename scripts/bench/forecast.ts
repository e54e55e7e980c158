/**
 * Training steps on cards that are not at hand: the program that would be recorded for each, dispatch by dispatch, with its
 * bytes, operations and launches, against the card's figures (src/bench/forecast/); needs no device:
 *
 *     deno run -A scripts/bench/forecast.ts [--card TEXT] [--json]
 *
 * First how far the same formulas are from what was measured on an H100, then steps on every card, then where the time of
 * each goes on one (--card, default H100).
 */
import { parseArgs } from "node:util";
import { type Card, CARDS } from "../../src/bench/forecast/card.ts";
import { type Forecast, forecastStep, type StepPlan } from "../../src/bench/forecast/forecast.ts";
import { MEASURED } from "../../src/bench/forecast/measured.ts";
import { timeOf } from "../../src/bench/forecast/time.ts";
import { configFromArchitecture } from "../../src/models/config_json.ts";
import { table } from "../../src/report/markdown.ts";
import { median } from "../../src/tuning/median.ts";
import { DEBERTA_V3_BASE, POST_LENGTHS, XLM_R_LARGE } from "./architectures.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: { card: { type: "string", default: "H100" }, json: { type: "boolean", default: false } },
});
const chosen = CARDS.find(({ name }) => name.toLowerCase().includes(options.card.toLowerCase()));
if (!chosen) {
  console.error(`error: --card ${options.card}: expected part of one of ${CARDS.map(({ name }) => name).join(", ")}`);
  Deno.exit(2);
}

const modelOf = (architecture: Readonly<Record<string, unknown>>) =>
  configFromArchitecture(architecture, { numLabels: 2, classifierHead: "pooler_linear" });
const full = (sequences: number): number[] => new Array(sequences).fill(512);
const base = modelOf(DEBERTA_V3_BASE);
const STEPS: readonly { what: string; model: typeof base; plan: StepPlan }[] = [
  { what: "24 × 512, fp32", model: base, plan: { precision: "fp32", matrices: false, lengths: full(24) } },
  { what: "24 × 512, fp16", model: base, plan: { precision: "fp16", matrices: false, lengths: full(24) } },
  { what: "24 × 512, fp16, matrices", model: base, plan: { precision: "fp16", matrices: true, lengths: full(24) } },
  { what: "24 posts, fp16, matrices", model: base, plan: { precision: "fp16", matrices: true, lengths: POST_LENGTHS } },
  {
    what: "XLM-R large, 16 × 512, fp16, matrices",
    model: modelOf(XLM_R_LARGE),
    plan: { precision: "fp16", matrices: true, lengths: full(16) },
  },
];

const h100 = CARDS[0];
const checked = MEASURED.map(({ what, ms, works, fitted }) => {
  const predicted = works.reduce((sum, work) => sum + timeOf(work, h100), 0);
  return { what, ms, predicted, error: predicted / ms - 1, fitted };
});
const errors = checked.filter(({ fitted }) => !fitted).map(({ error }) => Math.abs(error)).sort((a, b) => a - b);
const steps: { what: string; plan: StepPlan; card: Card; forecast: Forecast }[] = [];
for (const { what, model, plan } of STEPS) {
  for (const card of CARDS) steps.push({ what, plan, card, forecast: await forecastStep(card, model, plan) });
}

if (options.json) {
  console.log(JSON.stringify({ cards: CARDS, checked, steps }, null, 2));
  Deno.exit(0);
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const digits = (value: number): string => `${Number(value.toPrecision(3))}`;
console.log(table(
  ["measured on an H100", "ms", "predicted", "error"],
  checked.map(({ what, ms, predicted, error, fitted }) => [
    what,
    `${ms}`,
    digits(predicted),
    fitted ? `fitted: ${fitted}` : percent(error),
  ]),
));
const ninetieth = errors[Math.floor(0.9 * errors.length)];
console.log(
  `\nError of the ${errors.length} that were not fitted: median ${percent(median(errors))}, nine tenths are within ` +
    `${percent(ninetieth)}, the largest is ${percent(errors.at(-1)!)}.\n`,
);
console.log(table(
  ["a step, ms", ...CARDS.map(({ name }) => name), "memory, GB", "dispatches"],
  STEPS.map(({ what }) => {
    const own = steps.filter((step) => step.what === what);
    const [{ forecast: { bytes, dispatches } }] = own;
    const cells = own.map(({ card: { gigabytes, subgroups }, forecast, plan }) => {
      if (forecast.bytes > 1e9 * gigabytes) return "too large";
      return digits(forecast.ms) + (plan.matrices && subgroups.length > 1 ? " *" : "");
    });
    return [what, ...cells, digits(bytes / 1e9), `${dispatches}`];
  }),
));
console.log(
  "\n* if kernels can ask for subgroups of one size (src/gpu/matrix.ts)",
);
for (const { what, forecast } of steps.filter(({ card }) => card === chosen)) {
  const rows = (name: string, of: readonly { ms: number; dispatches: number }[], names: readonly string[]) =>
    table(
      [name, "ms", "share", "dispatches"],
      of.map(({ ms, dispatches }, i) => [names[i], digits(ms), percent(ms / forecast.ms), `${dispatches}`]),
    );
  const kernels = forecast.kernels.slice(0, 10);
  console.log(`\n${what}, ${chosen.name}: ${digits(forecast.ms)} ms\n`);
  console.log(rows("for", forecast.parts, forecast.parts.map(({ part }) => part)));
  console.log(`\n${rows("kernel", kernels, kernels.map(({ kernel }) => kernel))}`);
}
