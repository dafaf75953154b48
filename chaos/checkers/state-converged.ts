import type { Finding } from "#chaos/journal/record";
import { type Checker, type Looking, some } from "./checker.ts";
import { explained, undelivered } from "./divergence.ts";
import { differingKeys, type QuietRoom, quietRooms } from "./quiet-room.ts";

export const stateConverged: Checker = {
  name: "state-converged",
  statement: "servers with a joined user have the same state of a room when all is quiet",
  requirement: "FED.chaos.state-equal",
  look(view, epoch, looking) {
    for (const quiet of quietRooms(view, epoch)) lookAt(quiet, looking);
  },
};

function lookAt(quiet: QuietRoom, looking: Looking): void {
  const servers = quiet.participants;
  if (servers.length < 2) {
    looking.because("no room has two servers with a joined user and a state that was seen");
    return;
  }
  looking.at(servers.length);
  const [first = "", ...others] = servers;
  const state = (server: string) => quiet.states.get(server)?.state ?? {};
  const differing = others.filter((one) => differingKeys(state(first), state(one)).length > 0);
  if (differing.length === 0) return;
  const keys = [...new Set(differing.flatMap((one) => differingKeys(state(first), state(one))))];
  const { view, room } = quiet;
  const place = {
    room: room.id,
    servers: [first, ...differing],
    events: [...new Set(servers.flatMap((one) => keys.flatMap((key) => state(one)[key] ?? [])))],
  };
  const what = `${view.label(first)} and ${differing.map((one) => view.label(one)).join(", ")} differ in ${some("key", keys)}`;
  looking.find(judge(quiet, servers, { what, ...place }));
}

function judge(
  quiet: QuietRoom,
  servers: readonly string[],
  finding: Omit<Finding, "outcome">,
): Finding {
  const { states } = quiet;
  const extremities = (server: string) =>
    [...(states.get(server)?.extremities ?? [])].sort().join(", ");
  const twins = servers.find((one) =>
    servers.some(
      (other) =>
        extremities(one) !== "" &&
        extremities(one) === extremities(other) &&
        differingKeys(states.get(one)?.state ?? {}, states.get(other)?.state ?? {}).length > 0,
    ),
  );
  if (twins !== undefined) {
    return {
      ...finding,
      outcome: "fail",
      matter: "server",
      requirement: "FED.chaos.state-equal",
      what: `${finding.what}, with the same forward extremities`,
    };
  }
  return undelivered(quiet, servers, finding) ?? explained(quiet, servers, finding);
}
