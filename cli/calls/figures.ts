/** How fast calls were, in reports: of a run that has just ended, or of stored ones beside each other. */
import { statSync } from "node:fs";
import path from "node:path";
import { CALLS, type CallFigure, readCallFigures } from "#harness/results/call-figures";
import type { RunDirectory, StoredRun } from "#harness/results/run-directory";
import {
  callFiguresMarkdown,
  callFiguresText,
  callPlot,
  type RunFigures,
} from "#reports/render/call-plot";

const PLOT = "calls.svg";

export interface CallReport {
  /** For a terminal, and for Markdown; empty where nothing was heard. */
  readonly text: string;
  readonly markdown: string;
}

/** Keeps the figures in the run directory, and their plot beside the summary. */
export function reportCalls(
  directory: Pick<RunDirectory, "write">,
  run: string,
  figures: readonly CallFigure[],
): CallReport {
  if (figures.length === 0) return { text: "", markdown: "" };
  const runs = [{ run, figures }];
  directory.write(CALLS, `${JSON.stringify({ figures }, null, 1)}\n`);
  directory.write(PLOT, callPlot(runs));
  return { text: `${callFiguresText(runs)}\n`, markdown: callFiguresMarkdown(runs, PLOT) };
}

/** Of those that have any. */
export function figuresOfRuns(runs: readonly StoredRun[]): readonly RunFigures[] {
  return runs.flatMap(({ path: given, header }) => {
    const folder = statSync(given).isDirectory() ? given : path.dirname(given);
    const figures = readCallFigures(folder);
    const deployment = header?.deployments.map(({ name }) => name).join(", ") ?? "";
    const run = runs.length === 1 ? deployment : `${path.basename(folder)} ${deployment}`;
    return figures.length === 0 ? [] : [{ run, figures }];
  });
}

/** The report with the figures behind it. @param writePlot keeps the plot and tells its name from there; absent: none is kept */
export function withCallFigures(
  report: string,
  format: "console" | "markdown",
  runs: readonly RunFigures[],
  writePlot?: (svg: string) => string,
): string {
  if (runs.length === 0) return report;
  if (format === "console") return `${report}${callFiguresText(runs)}\n`;
  return report + callFiguresMarkdown(runs, writePlot?.(callPlot(runs)));
}
