/** The charts of a study, as data. */
import type { Plot } from "../plot.ts";
import { contourPlot } from "./contour_plot.ts";
import { edfPlot } from "./edf_plot.ts";
import { historyPlot } from "./history_plot.ts";
import { importancePlot } from "./importance_plot.ts";
import { intermediatePlot } from "./intermediate_plot.ts";
import { parallelPlot } from "./parallel_plot.ts";
import type { PlottedStudy } from "./plotted_study.ts";
import { rankPlot } from "./rank_plot.ts";
import { slicePlot } from "./slice_plot.ts";
import { timelinePlot } from "./timeline_plot.ts";

/** Every chart of a study, by the name of its file. */
export const STUDY_PLOTS = {
  history: historyPlot,
  importances: importancePlot,
  intermediate: intermediatePlot,
  parallel: parallelPlot,
  slices: slicePlot,
  contour: contourPlot,
  rank: rankPlot,
  edf: edfPlot,
  timeline: timelinePlot,
} as const satisfies Record<string, (study: PlottedStudy) => Plot | null>;

/** Every chart that the study has something for. */
export const studyPlots = (study: PlottedStudy): Plot[] =>
  Object.values(STUDY_PLOTS).map((plot) => plot(study)).filter((plot) => plot !== null);
