/** Whole optimizer steps: in each precision and on each backend, of posts' lengths, of long inputs, and PyTorch's. */
import { forecastStep } from "../../../src/bench/forecast/forecast.ts";
import type { StepResult } from "../../../src/bench/step.ts";
import { configFromArchitecture } from "../../../src/models/config_json.ts";
import type { Precision } from "../../../src/nn/plan.ts";
import { median } from "../../../src/tuning/median.ts";
import { output, type Part, type Row } from "../parts.ts";
import { type Contestant, startContestant } from "../peers/contestant.ts";
import type { Prepared, StepJob, Timing } from "../peers/job.ts";
import { type Backend, ENTAIL, entailOn, type Setup } from "./setup.ts";

interface Step {
  what: string;
  architecture: Readonly<Record<string, unknown>>;
  batchSize: number;
  maxLength: number;
}

const baseStep = ({ model, batchSize, maxLength }: Setup): Step => ({
  what: `step, ${batchSize} × ${maxLength}`,
  architecture: model,
  batchSize,
  maxLength,
});

const gigabytes = (bytes?: number): string | undefined => bytes ? `${(bytes / 1e9).toPrecision(3)} GB` : undefined;
const rateOf = (sequences: number, ms: number): string => `${(sequences / ms * 1000).toPrecision(3)} samples/s`;

async function predicted(
  { card }: Setup,
  { matrices }: Backend,
  architecture: Step["architecture"],
  lengths: readonly number[],
  precision: Precision,
): Promise<number | undefined> {
  if (!card) return undefined;
  const config = configFromArchitecture(architecture, { numLabels: 2, classifierHead: "pooler_linear" });
  return (await forecastStep(card, config, { precision, matrices, lengths })).ms;
}

interface StepOptions {
  precision: Precision;
  /** Whether gpu.tune chooses the variants. */
  tuned?: boolean;
  limitSeconds?: number;
}

/** Entail's training step as `bench step` times it. */
export function stepPart(
  setup: Setup,
  backend: Backend,
  { precision, tuned = false, limitSeconds = 75 }: StepOptions,
  { what, architecture, batchSize, maxLength }: Step = baseStep(setup),
): Part {
  const overrides = [
    "model=deberta_nli",
    "model.model_name=null",
    `model.architecture=${JSON.stringify(architecture).replaceAll('"', "")}`,
    `training.batch_size=${batchSize}`,
    `data.max_length=${maxLength}`,
    `training.optimization.precision=${precision}`,
    `gpu.tune=${tuned ? "quick" : "off"}`,
    `gpu.backend=${backend.name}`,
  ];
  return {
    name: `${what} ${precision} ${backend.name}${tuned ? " tuned" : ""}`,
    limitSeconds,
    async measure(limitMs) {
      const text = await output([...ENTAIL, "bench", "step", "--json", ...overrides], limitMs);
      const step: StepResult = JSON.parse(text).results[0];
      return [{
        what,
        by: `${entailOn(backend)}, ${step.precision}${tuned ? ", tuned" : ""}`,
        ms: step.ms,
        predicted: await predicted(setup, backend, architecture, new Array(batchSize).fill(maxLength), precision),
        rate: rateOf(batchSize, step.ms),
        memory: gigabytes(step.peak_bytes),
        note: [
          step.precision === precision ? "" : `asked for ${precision}`,
          step.busy === null ? "" : `busy ${(step.busy * 100).toFixed(0)} %`,
          ...step.profile.slice(0, 4).map(({ kernel, ms }) => `${kernel} ${ms.toPrecision(3)}`),
        ].filter((part) => part).join(", "),
      }];
    },
  };
}

const STEPS_TIMED = { small: 1, full: 10 };

/** Median of three turns, after a first one that warms up. */
async function timeSteps(contestant: Contestant, job: StepJob, { small }: Setup): Promise<Omit<Row, "what" | "by">> {
  const steps = small ? STEPS_TIMED.small : STEPS_TIMED.full;
  const { device } = await contestant.ask<Prepared>({ prepare: job });
  await contestant.ask<Timing>({ time: steps });
  const times: Timing[] = [];
  for (let turn = 0; turn < 3; turn++) times.push(await contestant.ask<Timing>({ time: steps }));
  const ms = median(times.map(({ ms }) => ms));
  return { ms, rate: rateOf(job.batchSize, ms), memory: gigabytes(times[0].peak_bytes), note: device };
}

/** Steps of one contestant, each with a row; what fails has one that says so. */
function contestantPart(
  setup: Setup,
  { name, file, limitSeconds, python = "python3" }: {
    name: string;
    file: string;
    limitSeconds: number;
    python?: string;
  },
  jobs: readonly { what: string; by: string; job: StepJob; predicted?: () => Promise<number | undefined> }[],
): Part {
  return {
    name,
    limitSeconds,
    async measure(limitMs) {
      const contestant = await startContestant(file, limitMs, python);
      const timer = setTimeout(contestant.stop, limitMs);
      const rows: Row[] = [];
      for (const { what, by, job, predicted } of jobs) {
        const row = { what, by: `${contestant.name}, ${by}`, predicted: await predicted?.() };
        try {
          rows.push({ ...row, ...await timeSteps(contestant, job, setup) });
        } catch (error) {
          rows.push({ ...row, note: `failed: ${(error as Error).message}` });
        }
      }
      clearTimeout(timer);
      contestant.stop();
      return rows;
    },
  };
}

const postsOf = (setup: Setup) => {
  const { postLengths, batchSize, maxLength } = setup;
  const tokens = postLengths.reduce((sum, length) => sum + length, 0);
  return `step, ${postLengths.length} posts, ${(100 * tokens / (batchSize * maxLength)).toFixed(0)} % of the tokens`;
};

/** A packed batch of posts' lengths. */
export function postsPart(setup: Setup, backend: Backend): Part {
  const { model: architecture, batchSize, maxLength, postLengths: lengths } = setup;
  const job: StepJob = { kind: "step", precision: "fp16", architecture, batchSize, maxLength, lengths };
  return contestantPart(setup, { name: `posts ${backend.name}`, file: `entail.ts ${backend.name}`, limitSeconds: 60 }, [
    {
      what: postsOf(setup),
      by: `fp16${backend.matrices ? ", matrices" : ""}`,
      job,
      predicted: () => predicted(setup, backend, architecture, lengths, "fp16"),
    },
  ]);
}

/** PyTorch's steps, eager, and those of posts, padded. */
export function pytorchPart(setup: Setup): Part {
  const { model: architecture, large, batchSize, maxLength, postLengths: lengths, python } = setup;
  const step = { kind: "step", architecture, batchSize, maxLength } as const;
  const { what } = baseStep(setup);
  return contestantPart(setup, { name: "step PyTorch", file: "pytorch.py", limitSeconds: 120, python }, [
    ...["fp32", "tf32", "bf16"].map((precision) => ({ what, by: `eager ${precision}`, job: { ...step, precision } })),
    { what: postsOf(setup), by: "eager bf16, padded", job: { ...step, precision: "bf16", lengths } },
    {
      what: largeStep(setup).what,
      by: "eager bf16",
      job: { ...step, precision: "bf16", architecture: large, batchSize: largeStep(setup).batchSize },
    },
  ]);
}

/** The model compiled, which takes about a minute. */
export function compiledPart(setup: Setup): Part {
  const { model: architecture, batchSize, maxLength, python } = setup;
  const job: StepJob = { kind: "step", precision: "bf16", architecture, batchSize, maxLength, compiled: true };
  const jobs = [{ what: baseStep(setup).what, by: "compiled bf16", job }];
  return contestantPart(setup, { name: "step PyTorch compiled", file: "pytorch.py", limitSeconds: 130, python }, jobs);
}

const largeStep = ({ large: architecture, small, maxLength }: Setup): Step => {
  const batchSize = small ? 2 : 16;
  return { what: `step of XLM-R large, ${batchSize} × ${maxLength}`, architecture, batchSize, maxLength };
};

export const largePart = (setup: Setup, backend: Backend): Part =>
  stepPart(setup, backend, { precision: "fp16" }, largeStep(setup));

/** Layers, sequences and tokens of each; few words, so that attention is what counts. */
const LONG = { small: [[1, 1, 64]], full: [[1, 2, 8192], [12, 3, 4096], [1, 1, 24576]] } as const;

export const longParts = (setup: Setup, backend: Backend): Part[] =>
  LONG[setup.small ? "small" : "full"].map(([layers, batchSize, maxLength]) =>
    stepPart(setup, backend, { precision: "fp16", limitSeconds: 45 }, {
      what: `step of ${layers} layer${layers > 1 ? "s" : ""}, ${batchSize} × ${maxLength}`,
      architecture: {
        ...setup.model,
        ...{ vocab_size: 1100, num_hidden_layers: layers, max_position_embeddings: maxLength },
      },
      batchSize,
      maxLength,
    })
  );
