/** The schema of the `hpo` group: a study, how its trials are run, sampled and pruned, and its search space. */
import { z } from "../packages/zod.ts";
import { address, flag, integer, oneOf, orNull, real, text } from "./fields.ts";
import type { Scalar } from "./settings.ts";

const SCALAR = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** One parameter of a search space. `key` is the configuration key that it sets; without it, the name is the key. */
const ParameterSchema = z.strictObject({
  key: orNull(text("a configuration key"), "the parameter's own name").default(null),
  type: oneOf(["float", "int", "categorical"]),
  low: orNull(real()).default(null),
  high: orNull(real()).default(null),
  log: flag().default(false),
  step: orNull(real({ above: 0 }), "continuous, or 1 for int").default(null),
  choices: z.array(SCALAR).min(1).nullable().describe("a list of texts, numbers, booleans or nulls").default(null),
  when: z.record(z.string(), z.union([SCALAR, z.array(SCALAR).min(1)])).nullable()
    .describe("a mapping of another parameter, or of a configuration key, to its value or a list of them").default(
      null,
    ),
});

type Parameter = z.output<typeof ParameterSchema>;

/** What is wrong with a parameter on its own, or undefined. */
function parameterFault(parameter: Parameter): [string, string] | undefined {
  const { type, low, high, log, step, choices } = parameter;
  if (type === "categorical") {
    if (choices === null) return ["choices", "is needed for a categorical parameter"];
    const numeric = (["low", "high", "step"] as const).find((name) => parameter[name] !== null);
    return numeric === undefined ? undefined : [numeric, "is not for a categorical parameter"];
  }
  if (choices !== null) return ["choices", `is not for a parameter of type ${type}`];
  if (low === null) return ["low", `is needed for a parameter of type ${type}`];
  if (high === null) return ["high", `is needed for a parameter of type ${type}`];
  if (low > high) return ["low", `must be at most high (${high}), not ${low}`];
  if (log && low <= 0) return ["low", `must be above 0 with log: true, not ${low}`];
  if (log && step !== null && !(type === "int" && step === 1)) return ["step", "cannot be combined with log: true"];
  if (type === "int") {
    const fraction = (["low", "high", "step"] as const).find((name) => !Number.isInteger(parameter[name] ?? 1));
    if (fraction !== undefined) return [fraction, `must be an integer for type int, not ${parameter[fraction]}`];
  }
  return undefined;
}

/** Whether a parameter may have just this value. */
function canBe({ type, low, high, choices }: Parameter, value: unknown): boolean {
  if (type === "categorical") return choices?.some((choice) => choice === value) ?? true;
  return type === "float" || (Number.isInteger(value) && low! <= Number(value) && Number(value) <= high!);
}

/** The values of which a condition wants one. */
export const wantedValues = (wanted: Scalar | readonly Scalar[]): readonly Scalar[] => [wanted].flat();

/** The parameters that a condition speaks of: the one of that name, or those that set that configuration key. */
export function conditionNames(space: Record<string, Parameter>, other: string): string[] {
  if (Object.hasOwn(space, other)) return [other];
  return Object.keys(space).filter((name) => (space[name].key ?? name) === other);
}

/** The conditions from a parameter upwards; returns the names of a circle, if there is one. */
function conditionCycle(space: Record<string, Parameter>, name: string, seen: string[] = []): string[] | null {
  if (seen.includes(name)) return [...seen.slice(seen.indexOf(name)), name];
  for (const other of Object.keys(space[name].when ?? {}).flatMap((key) => conditionNames(space, key))) {
    const cycle = conditionCycle(space, other, [...seen, name]);
    if (cycle !== null) return cycle;
  }
  return null;
}

const SearchSpaceSchema = z.record(z.string().regex(/^[A-Za-z_][\w.-]*$/), ParameterSchema)
  .describe("a mapping of names to parameters")
  .superRefine((space, context) => {
    for (const [name, parameter] of Object.entries(space)) {
      const fault = parameterFault(parameter);
      if (fault !== undefined) context.addIssue({ code: "custom", path: [name, fault[0]], message: fault[1] });
      for (const [other, wanted] of Object.entries(parameter.when ?? {})) {
        for (const value of Object.hasOwn(space, other) ? wantedValues(wanted) : []) {
          if (canBe(space[other], value)) continue;
          const message = `is ${JSON.stringify(value)}, a value that ${other} never has`;
          context.addIssue({ code: "custom", path: [name, "when", other], message });
        }
      }
      const cycle = conditionCycle(space, name);
      if (cycle !== null) {
        context.addIssue({ code: "custom", path: [name, "when"], message: `is a cycle: ${cycle.join(" -> ")}` });
      }
    }
  })
  .transform((space) =>
    Object.fromEntries(
      Object.entries(space).map(([name, parameter]) => [name, { ...parameter, key: parameter.key ?? name }]),
    )
  );

/** A study. */
export const HpoSchema = z.strictObject({
  n_trials: integer({ min: 1 }).default(2000),
  storage: orNull(address("a storage URL"), "in memory").default("${oc.env:OPTUNA_STORAGE,sqlite:///optuna.db}"),
  study_name: text().default("${experiment_name}"),
  direction: oneOf(["maximize", "minimize"]).default("maximize"),
  retry_failed: integer({ min: 0 }).default(0),
  hpo_mode: z.strictObject({
    mode: oneOf(["kfold", "single_split"]).default("kfold"),
    validation_fraction: real({ above: 0, max: 0.5 }).default(0.2),
  }).prefault({}),
  pruner: z.strictObject({
    type: oneOf(["hyperband", "successive_halving", "median", "none"]).default("hyperband"),
    reduction_factor: integer({ min: 2 }).default(4),
    min_resource: integer({ min: 1 }).default(1),
    max_resource: z.union([integer({ min: 1 }), z.literal("auto")]).describe("an integer >= 1, or auto").default(100),
    bootstrap_count: integer({ min: 0 }).default(30),
    report_interval: integer({ min: 1 }).default(1),
  }).prefault({}).superRefine((pruner, context) => {
    if (pruner.max_resource === "auto" || pruner.min_resource <= pruner.max_resource) return;
    context.addIssue({
      code: "custom",
      path: ["min_resource"],
      message: `must be at most hpo.pruner.max_resource (${pruner.max_resource}), not ${pruner.min_resource}`,
    });
  }),
  sampler: z.strictObject({
    type: oneOf(["tpe", "random"]).default("tpe"),
    seed: orNull(integer({ min: 0, max: 2 ** 32 - 1 }), "unseeded").default(42),
    n_startup_trials: integer({ min: 0 }).default(10),
    multivariate: flag().default(true),
    group: flag().default(false),
    constant_liar: flag().default(true),
  }).prefault({}).superRefine((sampler, context) => {
    if (!sampler.group || sampler.multivariate) return;
    context.addIssue({ code: "custom", path: ["group"], message: "needs hpo.sampler.multivariate=true" });
  }),
  search_space: SearchSpaceSchema.default({}),
});
