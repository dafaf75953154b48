/**
 * Rooms that verdicts are about, resolved again without servers: whether the rules alone come to the same, which is a matter
 * of the protocol, or only a server does.
 */
import { exportDag } from "#chaos/journal/export-dag";
import type { JournalRoom } from "#chaos/journal/journal-room";
import type { CheckerVerdict, Finding } from "#chaos/journal/record";
import type { JournalView } from "#chaos/journal/view";
import type { DagFile } from "#protocol/dag/dag-file";
import { some } from "./checker.ts";
import { differingKeys, type QuietRoom, quietRooms } from "./quiet-room.ts";
import { type Reset, resetsBefore } from "./resets.ts";

export interface Rerun {
  /** Name of the room in the plan. */
  readonly room: string;
  readonly checker: string;
  /** The states that met and what the rules make of them. */
  readonly dag: DagFile;
  readonly matter: "protocol" | "server";
  /** One line. */
  readonly why: string;
}

/** Of others, state resolution has no part in what they find. */
const ABOUT_STATE: ReadonlySet<string> = new Set([
  "participation-agreed",
  "state-converged",
  "state-oracle",
  "no-state-reset",
  "no-resurrection",
  "membership-walk",
  "backoff-bounded",
]);

/** One for each room and checker that has failed, or has found a known reset. Rooms of unknown versions are left out. */
export function rerunAll(
  view: JournalView,
  epoch: number,
  verdicts: readonly CheckerVerdict[],
): readonly Rerun[] {
  return verdicts.flatMap(({ checker, outcome, findings }) => {
    if (outcome !== "fail" && outcome !== "known-protocol-reset") return [];
    const worst = findings.filter((finding) => finding.outcome === outcome);
    const rooms = new Set(worst.flatMap(({ room }) => room ?? []));
    return [...rooms].flatMap((id) => {
      const quiet = quietRooms(view, epoch).find(({ room }) => room.id === id);
      const finding = worst.find(({ room }) => room === id);
      if (quiet === undefined || finding === undefined) return [];
      return rerun(checker, finding, quiet) ?? [];
    });
  });
}

function rerun(checker: string, finding: Finding, quiet: QuietRoom): Rerun | undefined {
  const { room, ends } = quiet;
  const reset = resetsBefore(room, ends).find(({ lost }) => finding.events?.includes(lost));
  const dag = exportDag(room, reset?.sets ?? statesThatMet(room, ends), {
    id: `${checker}-${room.name}`,
    title: finding.what,
    className: finding.class ?? "other",
  });
  if (dag === undefined) return undefined;
  const isReset = finding.outcome === "known-protocol-reset" && reset !== undefined;
  const told = isReset ? judgeReset(reset, dag, room) : judgeState(checker, finding, quiet);
  return { room: room.name, checker, dag, ...told };
}

/** Of the newest merge; without any, the state twice. */
function statesThatMet(room: JournalRoom, ends: readonly string[]): readonly string[][] {
  const merges = [...room.ancestors(ends)].map((id) => room.get(id)?.event.prevEvents ?? []);
  const met = [...merges, ends].findLast((ids) => ids.length > 1) ?? [...ends, ...ends];
  return met.map((id) => Object.values(room.stateAfter([id])));
}

type Told = Pick<Rerun, "matter" | "why">;

function judgeReset({ key, lost }: Reset, { expected }: DagFile, room: JournalRoom): Told {
  const resolved = expected.get(room.version?.id ?? "") ?? {};
  return resolved[key] === lost.replace(/^\$/, "")
    ? { matter: "server", why: `by the rules alone ${key} stands` }
    : { matter: "protocol", why: `by the rules alone ${key} is lost as well` };
}

/** Whether the rules give what the servers show, each by what it has. */
function judgeState(checker: string, { servers = [] }: Finding, quiet: QuietRoom): Told {
  if (!ABOUT_STATE.has(checker))
    return { matter: "server", why: "the state of the room has no part in it" };
  for (const server of servers.length === 0 ? quiet.states.keys() : servers) {
    const shown = quiet.states.get(server)?.state;
    const expected = quiet.expected(server);
    if (shown === undefined) continue;
    const label = quiet.view.label(server);
    if ((quiet.lacks(server) ?? []).length > 0)
      return { matter: "server", why: `${label} has not got what the rules would judge by` };
    const keys = expected === undefined ? [] : differingKeys(expected, shown);
    if (expected === undefined || keys.length > 0) {
      const what = keys.length > 0 ? ` in ${some("key", keys)}` : "";
      return { matter: "server", why: `by the rules alone ${label} has another state${what}` };
    }
  }
  return { matter: "protocol", why: "by the rules alone each server has what it shows" };
}
