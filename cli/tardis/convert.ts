/** `crucible tardis convert`: files of any format, merged and written in one. */
import { print, remark } from "#cli/io";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { writeLink } from "#tardis/formats/link";
import { type WrittenFormat, writeRun } from "#tardis/formats/write";
import { problemText } from "#tardis/model/problem";
import type { Run } from "#tardis/model/run";
import { runPicture } from "#tardis/render/run-picture";
import { svgOf } from "#tardis/render/svg";
import { Session } from "#tardis/view/session";
import { knownVersion, openFiles, orBadFile, writeTo } from "./files.ts";

export interface ConvertOptions {
  readonly output?: string;
  readonly format?: string;
  readonly roomVersion?: string;
}

type Target = WrittenFormat | "link" | "svg";

/** The first ending that fits. */
const ENDINGS: readonly (readonly [ending: string, format: Target])[] = [
  [".replay.ndjson", "replay"],
  [".json5", "scenario"],
  [".json", "scenario"],
  [".ndjson", "room"],
  [".link", "link"],
  [".svg", "svg"],
];
export const TARGETS = ["replay", "scenario", "room", "link", "svg"] as const;

export async function convert(files: readonly string[], options: ConvertOptions): Promise<void> {
  const target = targetOf(options);
  const { roomVersion: version, output } = options;
  const run = await openFiles(files, version === undefined ? undefined : knownVersion(version));
  for (const problem of run.problems) remark(`not read: ${problemText(problem)}`);
  const text = await orBadFile(() => write(run, target));
  if (output === undefined || output === "-") print(text.replace(/\n$/, ""));
  else writeTo(output, text);
}

async function write(run: Run, target: Target): Promise<string> {
  if (target === "svg") return svgOf(runPicture(Session.of(run)));
  if (target !== "link") return writeRun(run, target);
  const scenario = JSON.stringify(JSON.parse(writeRun(run, "scenario")));
  return `${await writeLink(scenario)}\n`;
}

function targetOf({ output = "-", format }: ConvertOptions): Target {
  const byEnding = ENDINGS.find(([ending]) => output.endsWith(ending))?.[1];
  const named = TARGETS.find((target) => target === format);
  if (format !== undefined && named === undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: `there is no format ${format}`,
      next: didYouMean(format, TARGETS),
    });
  }
  const target = named ?? byEnding;
  if (target !== undefined) return target;
  throw new HarnessError("BAD_USAGE", {
    what: `the ending of ${output} tells no format`,
    facts: ENDINGS.map(([ending, meant]) => `${ending} is a ${meant}`),
    next: `--format ${TARGETS.join(", ")}`,
  });
}
