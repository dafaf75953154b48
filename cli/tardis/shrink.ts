/** `crucible tardis shrink`: a room as small as it gets while a key of its state stays what it is, by the shrinker of the page. */
import { setImmediate as turn } from "node:timers/promises";
import { print, printJson, remark } from "#cli/io";
import { StatusLine } from "#cli/status-line";
import { HarnessError } from "#harness/errors";
import { isObject } from "#protocol/events/event";
import { readEdits } from "#tardis/edit/edits";
import { withMeta, writeRun } from "#tardis/formats/write";
import { withKeys } from "#tardis/model/json";
import { problemText } from "#tardis/model/problem";
import type { Run } from "#tardis/model/run";
import type { ShrinkView } from "#tardis/view/messages";
import { Session } from "#tardis/view/session";
import { WhatIf } from "#tardis/view/what-if";
import { knownVersion, openFiles, orBadFile, writeTo } from "./files.ts";
import { keyNamed, pduNamed, warnOfUnknownKey } from "./naming.ts";

export interface ShrinkOptions {
  readonly key: string;
  readonly at?: string;
  readonly edits?: string;
  readonly versions?: string;
  readonly seconds?: string;
  readonly output?: string;
  readonly roomVersion?: string;
  readonly json?: true;
}

/** Of one turn: then Ctrl-C is heard. */
const TURN_MS = 100;

export async function shrink(files: readonly string[], options: ShrinkOptions): Promise<void> {
  const { output, json } = options;
  const isReplay = output?.endsWith(".ndjson") === true;
  const until = performance.now() + secondsOf(options) * 1000;
  const run = await openFiles(files, versionOf(options));
  for (const problem of run.problems) remark(`not read: ${problemText(problem)}`);
  const key = keyNamed(options.key);
  warnOfUnknownKey(run, key);
  const session = Session.of(run);
  const whatIf = new WhatIf(session);
  // Where the page opens, unless an event is named.
  const start =
    options.at === undefined
      ? session.load().start.row
      : run.pdus.indexOf(pduNamed(run, options.at));
  const versions = options.versions?.split(",").map((id) => knownVersion(id.trim()).id);
  const edits = options.edits ?? "";
  if (versions !== undefined && edits !== "") {
    throw new HarnessError("BAD_USAGE", {
      what: "what is to stay is the difference that edits make, or that of versions",
      next: "name one of --edits and --versions",
    });
  }
  const row = await orBadFile(() => whatIf.edit({ edits }).rows[start] ?? -1);
  if (row < 0) {
    throw new HarnessError("BAD_USAGE", {
      what: "the edits take away the event after which the state is looked at",
      next: "--at with another event",
    });
  }
  const { found, isInterrupted } = await shrunk(whatIf, { row, key, versions, until });
  const { rows } = await orBadFile(() => whatIf.edit({ edits: found.edits }));
  const text = await orBadFile(() =>
    isReplay
      ? writeRun(withoutExpectations(whatIf.session.run), "replay")
      : whatIf.scenario({ row: rows[row] ?? 0, key }).text,
  );
  if (output !== undefined) writeTo(output, text);
  tell(run, found, { key, output, text, json: json === true });
  if (isInterrupted) process.exitCode = 130;
}

async function shrunk(
  whatIf: WhatIf,
  {
    until,
    ...ask
  }: {
    readonly row: number;
    readonly key: string;
    readonly versions: readonly string[] | undefined;
    readonly until: number;
  },
): Promise<{ readonly found: ShrinkView; readonly isInterrupted: boolean }> {
  let isInterrupted = false;
  const end = () => {
    isInterrupted = true;
  };
  process.once("SIGINT", end);
  try {
    using status = new StatusLine();
    for (;;) {
      const found = await orBadFile(() => whatIf.shrink({ ...ask, ms: TURN_MS }));
      status.show(() => `${found.left} events left, ${found.tried} rooms tried`);
      await turn();
      if (found.isDone || isInterrupted || performance.now() >= until)
        return { found, isInterrupted };
    }
  } finally {
    process.off("SIGINT", end);
  }
}

interface Told {
  readonly key: string;
  readonly output: string | undefined;
  readonly text: string;
  readonly json: boolean;
}

function tell(
  { pdus }: Run,
  { left, tried, isDone, edits }: ShrinkView,
  { key, output, text, json }: Told,
): void {
  // In the names of the file, as the list of edits has them.
  const out = readEdits(edits).flatMap((edit) => (edit.kind === "without" ? edit.events : []));
  if (json) {
    printJson({
      key,
      events: pdus.length,
      left,
      tried,
      isDone,
      out,
      edits,
      ...(output === undefined ? { scenario: text } : { output }),
    });
    return;
  }
  if (output === undefined) print(text.replace(/\n$/, ""));
  const how = isDone ? "no single one can go" : "stopped: more may go";
  const where = output === undefined ? "" : `, written to ${output}`;
  remark(`${left} of ${pdus.length} events left, ${how}; ${tried} rooms tried${where}`);
}

/** A replay says what happened; what its file expected may be of events that are no more, or that are edited. */
function withoutExpectations(run: Run): Run {
  const { scenario } = run.meta;
  if (!isObject(scenario) || !isObject(scenario.x_replay)) return run;
  const x_replay = withKeys(scenario.x_replay, { without: ["expect"] });
  return withMeta(run, { scenario: { ...scenario, x_replay } });
}

function versionOf({ roomVersion }: ShrinkOptions) {
  return roomVersion === undefined ? undefined : knownVersion(roomVersion);
}

function secondsOf({ seconds }: ShrinkOptions): number {
  if (seconds === undefined) return Number.POSITIVE_INFINITY;
  const value = Number(seconds);
  if (seconds !== "" && value > 0) return value;
  throw new HarnessError("BAD_USAGE", {
    what: `--seconds is ${seconds}`,
    next: "a number above 0",
  });
}
