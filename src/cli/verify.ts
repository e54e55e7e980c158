/** `verify`: everything that the study at hand needs, looked at before it begins. */
import { dirname } from "node:path";
import { type Config, setByPath } from "../config/config.ts";
import { EntailError, type ErrorKind } from "../errors.ts";
import { withoutPasswords } from "../formats/secrets.ts";
import type { Gpu } from "../gpu/device.ts";
import { mebibytes } from "../gpu/tensor.ts";
import { leftOutParameters } from "../search/effects.ts";
import { originalDifferences } from "../search/original_study.ts";
import { finishedTrials } from "../search/run_study.ts";
import {
  checkFitsTrials,
  checkSearchSpace,
  cornerConfig,
  possibleAugmentations,
  possibleTeachers,
  replacedParameters,
} from "../search/search_space.ts";
import { splitConfig } from "../search/workbench.ts";
import { openStorage } from "../studies/open_storage.ts";
import { sqlitePath } from "../studies/sqlite_storage.ts";
import { checkAugmentation, checkAugmentationKeys, evidenceOf } from "../training/augmentation.ts";
import { type ModelSource, openModelSource } from "../training/model_source.ts";
import { downloadReport } from "../training/reporter.ts";
import { openFittingSession } from "../training/physical_batch.ts";
import { settingsInVain } from "../training/run.ts";
import { loadRunData, type RunData } from "../training/run_data.ts";
import { loadTeacher, teacherFile } from "../training/teacher.ts";
import { openConfiguredGpu, resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { isSqlite } from "./study_storage.ts";
import { createReporter, printTable, type TerminalReporter } from "./terminal.ts";

interface Finding {
  what: string;
  /** What a failure is; "ok" and "note", which is worth knowing, are none. */
  kind: ErrorKind | "ok" | "note";
  text: string;
}

/** Prints a line per check of the study at hand; throws, when all have been made, the first that failed. */
export async function verify(overrides: string[], options: CommonOptions): Promise<void> {
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const reporter = createReporter(options);
  const findings: Finding[] = [];
  /** The result of a check, or undefined where it failed or what it needs is not there. */
  async function check<T>(what: string, run: () => Promise<[T, string]>): Promise<T | undefined> {
    try {
      const [result, text] = await run();
      findings.push({ what, kind: "ok", text });
      return result;
    } catch (error) {
      if (!(error instanceof EntailError)) throw error;
      findings.push({ what, kind: error.kind, text: error.message });
      return undefined;
    }
  }

  const note = (what: string, text: string) => findings.push({ what, kind: "note", text });

  const differences = originalDifferences(config);
  for (const { key, promised, found } of differences ?? []) {
    findings.push({ what: "settings", kind: "usage", text: `${key}: is ${found}, in the original study ${promised}` });
  }
  if (differences?.length === 0) findings.push({ what: "settings", kind: "ok", text: "those of the original study" });
  await check("search space", () => checkSpace(config));
  for (const text of settingsInVain(config)) note("settings", text);
  for (const text of [...leftOutParameters(config).values(), ...replacedParameters(config)]) note("search space", text);
  // What every trial samples need not be right in the configuration itself.
  const corner = cornerConfig(config);
  const model = await check("model", () => checkModel(corner, reporter));
  const data = model && await check("data", () => checkData(corner, model, reporter));
  let evidence: RunData["evidence"];
  for (const augmented of data ? possibleAugmentations(config) : []) {
    evidence = await check("augmentation", () => checkEvidence(augmented, data!, reporter)) ?? evidence;
  }
  for (const taught of data ? possibleTeachers(config) : []) {
    await check("teacher", () => checkTeacher(taught, data!));
  }
  const gpu = await check("adapter", () => checkAdapter(config));
  if (gpu?.kind === "software") note("adapter", "runs on the CPU: many times slower than a GPU");
  if (gpu && model && data) {
    const most = { ...data, evidence };
    for (const target of targetsOf(config)) await check("memory", () => checkMemory(gpu, corner, model, most, target));
  }
  gpu?.close();
  await check("storage", () => checkStorage(config));
  reporter.close();

  printTable(
    ["check", "", "finding"],
    findings.map(({ what, kind, text }) => [
      what,
      kind === "ok" || kind === "note" ? kind : "FAILED",
      withoutPasswords(text),
    ]),
  );
  const failures = findings.flatMap(({ kind }) => kind === "ok" || kind === "note" ? [] : [kind]);
  if (failures.length > 0) {
    throw new EntailError(
      failures[0],
      `not ready: ${failures.length} of ${findings.length} checks failed (see above)`,
    );
  }
  console.log("ready");
}

function checkSpace(config: Config): Promise<[true, string]> {
  checkAugmentationKeys(config);
  checkSearchSpace(config);
  const sampled = Object.keys(config.hpo.search_space).length - leftOutParameters(config).size;
  return Promise.resolve([true, `${sampled} parameters, all can be trained with`]);
}

async function checkModel(config: Config, reporter: TerminalReporter): Promise<[ModelSource, string]> {
  const model = await openModelSource(config, { reporter });
  const { numHiddenLayers, hiddenSize, vocabSize } = model.config;
  const name = config.model.model_name ?? "from scratch";
  return [model, `${name}: ${numHiddenLayers} layers, hidden size ${hiddenSize}, ${vocabSize} tokens`];
}

async function checkData(config: Config, model: ModelSource, reporter: TerminalReporter): Promise<[RunData, string]> {
  const data = await loadRunData(splitConfig(config), model, reporter);
  const positives = data.pairs.filter(({ label }) => label === 1).length;
  const longest = data.tokens.flatMap(({ chunks }) => chunks).reduce((most, { ids }) => Math.max(most, ids.length), 0);
  return [
    data,
    `${data.pairs.length} pairs, ${positives} positive, at most ${longest} tokens, in ${data.nSplits} folds`,
  ];
}

async function checkEvidence(
  config: Config,
  { pairs }: RunData,
  reporter: TerminalReporter,
): Promise<[RunData["evidence"], string]> {
  await checkAugmentation(config, downloadReport(reporter));
  const evidence = await evidenceOf(config, pairs, reporter);
  const words = [...evidence.values()].reduce((sum, { words }) => sum + words.length, 0);
  return [evidence, `${config.augmentation.method}: ${words} words in the evidence of ${evidence.size} positive pairs`];
}

async function checkTeacher(config: Config, { pairs }: RunData): Promise<[true, string]> {
  await loadTeacher(config, pairs);
  return [true, `${config.model.loss_type}: ${teacherFile(config)} has a score of every pair`];
}

async function checkAdapter(config: Config): Promise<[Gpu, string]> {
  const gpu = await openConfiguredGpu(config);
  return [gpu, gpu.name];
}

/** The sizes of an optimizer step that trials may ask for, the largest first; null: the configuration's own batch. */
function targetsOf({ hpo, training }: Config): (number | null)[] {
  const space = Object.values(hpo.search_space).find(({ key }) => key === "training.target_effective_batch_size");
  const sizes = (space?.choices ?? [space?.high]).filter((size) => typeof size === "number");
  return sizes.length > 0 ? sizes.sort((a, b) => b - a) : [training.target_effective_batch_size];
}

async function checkMemory(
  gpu: Gpu,
  config: Config,
  model: ModelSource,
  data: RunData,
  target: number | null,
): Promise<[true, string]> {
  const asked = setByPath(config, "training.target_effective_batch_size", target);
  const { session, tokenBudget } = await openFittingSession(gpu, asked, model.config, data);
  const { bytes, recompute } = session;
  session.release();
  const { batch_size, gradient_accumulation_steps } = config.training;
  const split = target === null
    ? `${batch_size} pairs × ${gradient_accumulation_steps}`
    : `${target} pairs, at most ${tokenBudget} tokens at once,`;
  const again = recompute ? ", with activations computed again in the backward" : "";
  return [true, `a step of ${split} takes ${mebibytes(bytes)}${again}`];
}

async function checkStorage(config: Config): Promise<[true, string]> {
  const { hpo } = config;
  const { storage: url, study_name: name, n_trials: goal } = hpo;
  if (url === null) return [true, "none: a study in memory is lost with its process"];
  if (isSqlite(url) && !(await Deno.stat(sqlitePath(url)).catch(() => null))) {
    await checkWritable(dirname(sqlitePath(url)));
    return [true, `${url}: will be made`];
  }
  const storage = await openStorage(url);
  try {
    const study = await storage.findStudy(name);
    if (study === null) return [true, `${url}: study ${name} will be made`];
    if (study.directions.join() !== hpo.direction) {
      throw new EntailError("usage", `hpo.study_name: ${name} is there to ${study.directions}; use another name`);
    }
    const trials = await storage.trials(study.studyId);
    checkFitsTrials(config, trials);
    const finished = finishedTrials(trials);
    return [true, `${url}: study ${name} has ${finished} of ${goal} trials and will be continued`];
  } finally {
    await storage.close();
  }
}

async function checkWritable(folder: string): Promise<void> {
  try {
    await Deno.remove(await Deno.makeTempFile({ dir: folder, prefix: ".verify-" }));
  } catch (cause) {
    throw new EntailError("usage", `hpo.storage: nothing can be written in ${folder}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
