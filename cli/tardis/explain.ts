/** `crucible tardis explain`: why a key of the state has its value, step by step, as the page tells it. */
import { colour, print, printJson, remark } from "#cli/io";
import { HarnessError } from "#harness/errors";
import { explainKey } from "#tardis/explain/explain-key";
import type { Explanation } from "#tardis/explain/explanation";
import { explanationMarkdown } from "#tardis/explain/markdown";
import { problemText } from "#tardis/model/problem";
import { historyOf } from "#tardis/model/room-of-run";
import { untilOfRoom } from "#tardis/view/failing-moment";
import { knownVersion, openFiles } from "./files.ts";
import { keyNamed, pduNamed, warnOfUnknownKey } from "./naming.ts";

interface ExplainOptions {
  readonly at?: string;
  readonly key: string;
  readonly roomVersion?: string;
  readonly json?: true;
  readonly markdown?: true;
}

export async function explain(files: readonly string[], options: ExplainOptions): Promise<void> {
  const version = options.roomVersion === undefined ? undefined : knownVersion(options.roomVersion);
  const run = await openFiles(files, version);
  for (const problem of run.problems) remark(`not read: ${problemText(problem)}`);
  const at = options.at === undefined ? undefined : pduNamed(run, options.at);
  const room = at === undefined ? run.rooms[0] : run.rooms.find(({ id }) => id === at.event.roomId);
  if (room === undefined) {
    throw new HarnessError("BAD_FILE", {
      what: "there is no event",
      next: "name a file with events",
    });
  }
  const history = historyOf(run, room, version);
  const key = keyNamed(options.key);
  const explanation = explainKey({
    history,
    names: new Map(
      run.pdus.flatMap(({ eventId, name }) =>
        name === undefined ? [] : [[eventId, name] as const],
      ),
    ),
    given: new Set([...run.givenStates.keys(), ...run.cut.before.keys()]),
    at:
      at === undefined ? history.extremities.filter((id) => !run.cut.aside.has(id)) : [at.eventId],
    key,
    recorded: {
      run,
      seq: untilOfRoom(run, at === undefined ? run.pdus.length : run.pdus.indexOf(at)),
    },
  });
  warnOfUnknownKey(run, key);
  if (options.json) printJson(explanation);
  else if (options.markdown) print(explanationMarkdown(explanation).trimEnd());
  else show(explanation);
}

function show({ roomVersion, algorithm, verdict, steps }: Explanation): void {
  for (const { text } of verdict) print(text);
  if (steps.length === 0) return;
  print();
  print(
    `How state resolution ${algorithm} comes to it, by room version ${roomVersion}; * marks what is about the key:`,
  );
  for (const [at, { title, sentences }] of steps.entries()) {
    print();
    print(colour.bold(`${at + 1}. ${title}`));
    for (const { text, isOfKey } of sentences) print(` ${isOfKey ? "*" : " "} ${text}`);
  }
}
