/** `crucible tardis compare`: states side by side, by other versions and as servers told them, as the page lays them. */
import { colour, print, printJson, remark } from "#cli/io";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { shown } from "#tardis/explain/shown";
import { problemText } from "#tardis/model/problem";
import { compare } from "#tardis/view/compare";
import type { CompareView } from "#tardis/view/messages";
import { Session } from "#tardis/view/session";
import { knownVersion, openFiles, orBadFile } from "./files.ts";
import { keyNamed, pduNamed, warnOfUnknownKey } from "./naming.ts";

export interface CompareOptions {
  readonly at?: string;
  readonly sides?: string;
  readonly key?: string;
  readonly roomVersion?: string;
  readonly json?: true;
}

export async function compareSides(
  files: readonly string[],
  { at, sides = "", roomVersion, ...options }: CompareOptions,
): Promise<void> {
  const version = roomVersion === undefined ? undefined : knownVersion(roomVersion);
  const run = await openFiles(files, version);
  for (const problem of run.problems) remark(`not read: ${problemText(problem)}`);
  const session = Session.of(run);
  const { row } =
    at === undefined ? session.load().start : { row: run.pdus.indexOf(pduNamed(run, at)) };
  const key = options.key === undefined ? undefined : keyNamed(options.key);
  if (key !== undefined) warnOfUnknownKey(run, key);
  const view = await orBadFile(() => compare(session, { row, cmp: usual(sides), key }));
  if (sides !== "") refuseUnknown(view);
  const { eventId = "" } = run.pdus[row] ?? {};
  const idOf = (one: number) => run.pdus[one]?.eventId ?? null;
  if (options.json) printJson(asJson(view, eventId, idOf));
  else show(view, eventId);
}

/** People leave blanks. */
function usual(sides: string): string {
  return sides
    .split(",")
    .map((side) => side.trim())
    .join(",");
}

/** Somebody has named them. @throws HarnessError BAD_USAGE */
function refuseUnknown({ unknown, choices, sides }: CompareView): void {
  const [first] = unknown;
  if (first === undefined) return;
  const names = [...sides, ...choices].map(({ name }) => name);
  throw new HarnessError("BAD_USAGE", {
    what: `there is no side ${first} here`,
    facts: [`there are ${names.join(", ")}`],
    next: didYouMean(first, names),
  });
}

/** The rows of the page mean nothing elsewhere. */
function asJson(view: CompareView, at: string, idOf: (row: number) => string | null) {
  const { sides, isAll, rows, same, key, why } = view;
  return {
    at,
    sides,
    isAll,
    rows: rows.map(({ key: one, isDiffering, values }) => ({
      key: one,
      isDiffering,
      values: values.map(({ text, row }) => ({ text, event: idOf(row) })),
    })),
    same,
    key: key ?? null,
    why,
  };
}

function show({ sides, rows, same, what, why }: CompareView, at: string): void {
  print(`after ${shown(at)}`);
  for (const [place, { name, title }] of sides.entries()) {
    print(`  ${letter(place)}  ${shown(name)}: ${title}`);
  }
  print();
  if (rows.length === 0) print("all come to the same state");
  for (const { key, values, isDiffering } of rows) {
    print(isDiffering ? colour.bold(shown(key)) : shown(key));
    for (const [place, { text }] of values.entries()) print(`  ${letter(place)}  ${text}`);
  }
  print(`${same} keys are the same in all of them`);
  if (why.length === 0) return;
  print();
  print(`why: ${what}`);
  for (const { title, sentences } of why) {
    print();
    print(colour.bold(title));
    for (const sentence of sentences) print(`  ${sentence}`);
  }
}

function letter(place: number): string {
  return String.fromCharCode(65 + place);
}
