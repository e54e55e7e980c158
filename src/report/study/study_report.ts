/** Study reports: what a search has found, as documents to read and to hand on. */
import { join } from "node:path";
import { EntailError } from "../../errors.ts";
import { writeFileAtomic } from "../../formats/atomic_write.ts";
import { paramText } from "../../formats/human.ts";
import { overviewOf } from "../../search/overview.ts";
import { studyTerms } from "../../search/study_terms.ts";
import { type FrozenTrial, rankTrials } from "../../studies/frozen_trial.ts";
import { paramImportances } from "../../studies/importance.ts";
import type { Storage, StudyRecord } from "../../studies/storage.ts";
import { tickText } from "../labels.ts";
import { plain } from "../markdown.ts";
import type { PageCharts } from "../page.ts";

/** What a study has come to, in words and charts. */
export interface StudyReport {
  /** Parameters with their importances, the largest first. */
  readonly importances: readonly (readonly [name: string, share: number])[];
  /** `report.md`, `report.html` and the charts as SVG: name → content. */
  readonly files: ReadonlyMap<string, string>;
}

/** Composes the report of a study. Data error for a study with several objectives. */
export async function studyReport(
  study: StudyRecord,
  trials: readonly FrozenTrial[],
  now: Date = new Date(),
): Promise<StudyReport> {
  const { studyName, directions } = study;
  if (directions.length !== 1) {
    throw new EntailError("data", `study ${studyName} has ${directions.length} objectives; a report takes one`);
  }
  const [direction] = directions;
  const overview = overviewOf(study, trials);
  // Sorted again: in an object, names that are whole numbers come first.
  const importances = Object.entries(paramImportances(trials, direction)).sort((a, b) => b[1] - a[1]);
  const terms = overview.by_hpo ? studyTerms(study) : null;
  const valueName = overview.objective;
  const [{ studyPlots }, { composeReport }, { reportPage }, { renderSvg }] = await Promise.all([
    import("./plots.ts"),
    import("./composition.ts"),
    import("../page.ts"),
    import("../chart.ts"),
  ]);
  const plots = studyPlots({ trials, direction, importances, valueName, reported: terms?.reported ?? null, now });
  const ranked = rankTrials(trials, direction);
  const markdown = composeReport({ overview, terms, trials, ranked, importances, plots, valueName, now });
  const pictures = new Map(plots.map((plot) => [`${plot.name}.svg`, renderSvg(plot)]));
  const charts = { plots, trials: trialTexts(trials, valueName) };
  return {
    importances,
    files: new Map([
      ...pictures,
      ["report.md", markdown],
      ["report.html", await reportPage(`Study ${studyName}`, markdown, charts, pictures)],
    ]),
  };
}

/** What a page tells of trials. */
function trialTexts(trials: readonly FrozenTrial[], valueName: string): PageCharts["trials"] {
  const parameters = [...new Set(trials.flatMap(({ params }) => Object.keys(params)))];
  return {
    names: ["state", valueName, ...parameters.map(plain)],
    rows: Object.fromEntries(trials.map(({ number, state, value, params }) => [number, [
      state.toLowerCase(),
      value === null ? null : tickText(value),
      ...parameters.map((name) => Object.hasOwn(params, name) ? plain(paramText(params[name])) : null),
    ]])),
  };
}

/**
 * Writes the report of a study (one of `createStudy` or `loadStudy`, or any name in a storage) into a folder, each file
 * atomically. Charts that a study has nothing for are left out.
 */
export async function writeStudyReport(
  { storage, studyName }: { storage: Storage; studyName: string },
  folder: string,
): Promise<StudyReport> {
  const study = await storage.findStudy(studyName);
  if (study === null) throw new EntailError("data", `there is no study named ${studyName}`);
  const report = await studyReport(study, await storage.trials(study.studyId));
  for (const [name, content] of report.files) await writeFileAtomic(join(folder, name), content);
  return report;
}
