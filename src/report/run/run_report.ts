/** Run reports: what the folds of a run have come to so far, as documents to read and to hand on. */
import { join } from "node:path";
import { EntailError } from "../../errors.ts";
import { writeFileAtomic } from "../../formats/atomic_write.ts";
import { readRunResults, type RunResults } from "../../training/run_results.ts";

/**
 * The report of a run, which may be under way: `report.md`, `report.html` and the charts as SVG, name → content. Data error
 * where not a step has been taken yet.
 */
export async function runReport(results: RunResults, now: Date = new Date()): Promise<ReadonlyMap<string, string>> {
  const { folds, config } = results;
  if (folds.length === 0) {
    throw new EntailError("data", `${config.output_dir}: no fold has begun, so there is nothing to report yet`);
  }
  const [
    { trainingPlots },
    { judgementPlots },
    { lengthPlots },
    { composeRunReport, runName },
    { judgementOf },
    { reportPage },
    { renderSvg },
  ] = await Promise.all([
    import("./training_plots.ts"),
    import("./judgement_plots.ts"),
    import("./length_plots.ts"),
    import("./composition.ts"),
    import("./judgement.ts"),
    import("../page.ts"),
    import("../chart.ts"),
  ]);
  const judgement = judgementOf(results);
  const plots = [
    ...judgement === null ? [] : judgementPlots(judgement),
    ...trainingPlots(folds),
    ...lengthPlots(results),
  ];
  const markdown = composeRunReport({ results, judgement, plots, now });
  const pictures = new Map(plots.map((plot) => [`${plot.name}.svg`, renderSvg(plot)]));
  return new Map([
    ...pictures,
    ["report.md", markdown],
    ["report.html", await reportPage(`Run ${runName(results)}`, markdown, { plots }, pictures)],
  ]);
}

/** Writes the report of the run in a folder into another, by default `report` in the first, each file atomically. */
export async function writeRunReport(runFolder: string, folder: string = join(runFolder, "report")): Promise<string> {
  const files = await runReport(await readRunResults(runFolder));
  for (const [name, content] of files) await writeFileAtomic(join(folder, name), content);
  return folder;
}
