/** The report of a chaos run as Markdown, with links to what shows its failures. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { ReplayPage } from "#harness/results/replays";
import { tame, tameLine } from "#reports/finding";
import { type ChaosReport, reportLines } from "./report.ts";

const VERDICTS: ReadonlyMap<number, string> = new Map([
  [0, "all went well"],
  [1, "failed"],
  [130, "interrupted"],
]);

export function writeSummary(report: ChaosReport): void {
  const { run, failure, exitCode } = report;
  const links =
    failure === undefined
      ? []
      : [
          linkOf(run, `epoch ${failure.epoch}: ${failure.checkers.join(", ")}`, failure.replay),
          ...(failure.shrunk === undefined
            ? []
            : [linkOf(run, "the smallest story that fails", failure.shrunk.replay)]),
        ];
  const text = reportLines(report).map(tame).join("\n");
  const fence = "`".repeat(
    Math.max(3, ...[...text.matchAll(/`+/g)].map(([one]) => one.length + 1)),
  );
  const lines = [
    `# Crucible chaos: ${VERDICTS.get(exitCode) ?? "trouble of ours or of the machine"}`,
    "",
    ...links,
    ...(links.length === 0 ? [] : [""]),
    `${fence}text`,
    text,
    fence,
    "",
  ];
  writeFileSync(path.join(run, "summary.md"), lines.join("\n"));
}

function linkOf(run: string, what: string, { page, fragment = "", note }: ReplayPage): string {
  const said = tameLine(what);
  if (page === undefined)
    return `- ${said}: ${tameLine(note ?? "no page").replace(/[`<>[\]]/g, " ")}`;
  const file = path.relative(run, page).split(path.sep).map(encodeURIComponent).join("/");
  return `- ${said}: [replay, at the failing moment](<${file}${fragment}>)`;
}
