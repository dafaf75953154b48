/** Calls of a run from its records and traces: as lanes, and as pictures. */
import { existsSync } from "node:fs";
import path from "node:path";
import { figuresOf } from "#harness/calls/figures";
import { foldCall } from "#harness/calls/fold";
import { exchangesOf } from "#harness/calls/trace";
import { HarnessError } from "#harness/errors";
import { type CallRecord, parseCall } from "#harness/results/call";
import type { CallFigure } from "#harness/results/call-figures";
import type { CallTimeline } from "#harness/results/call-timeline";
import type { CheckResult } from "#harness/results/outcome";
import { callPicture } from "#reports/render/call-picture";

export interface DrawnCall {
  readonly timeline: CallTimeline;
  figures(): readonly CallFigure[];
  picture(of: Pick<CheckResult, "requirement" | "check" | "outcome">): string;
}

/**
 * Each trace is read once.
 *
 * @param folder run directory
 * @param records as evidence has them; undefined where it has none
 * @throws HarnessError BAD_FILE for a record that no run has written, and where its trace is missing
 */
export async function drawCalls(
  folder: string,
  records: readonly unknown[],
): Promise<readonly (DrawnCall | undefined)[]> {
  const parsed = records.map((one) => (one === undefined ? undefined : parseCall(one)));
  const known = parsed.filter((one) => one !== undefined);
  const timelines = new Map<CallRecord, CallTimeline>();
  for (const [deployment, own] of Map.groupBy(known, (record) => record.deployment)) {
    const exchanges = await exchangesOf(traceOf(folder, deployment), own);
    for (const record of own) timelines.set(record, foldCall(record, exchanges.get(record) ?? []));
  }
  return parsed.map((record) => {
    const timeline = record && timelines.get(record);
    return (
      timeline && {
        timeline,
        figures: () => figuresOf(timeline),
        picture: (of) => callPicture(timeline, of),
      }
    );
  });
}

function traceOf(folder: string, deployment: string): string {
  // A name from a file: it must not lead out of the run.
  const file = path.join(folder, "trace", `${path.basename(deployment)}.ndjson`);
  if (existsSync(file)) return file;
  throw new HarnessError("BAD_FILE", {
    what: `there is no trace ${file}`,
    next: "a call is drawn from the trace of its run: copy the run directory whole",
  });
}
