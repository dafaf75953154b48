/** What servers that have different states of a room owe to whom: to each other, or to the protocol. */
import type { Finding } from "#chaos/journal/record";
import type { RequirementId } from "#harness/requirements/ids.generated";
import { some } from "./checker.ts";
import { isWithoutMainline } from "./empty-mainline.ts";
import { differingKeys, type QuietRoom } from "./quiet-room.ts";
import { resetsBefore } from "./resets.ts";

type Parts = Omit<Finding, "outcome">;

/** When a server has not got what it should have got. */
export function undelivered(
  quiet: QuietRoom,
  servers: readonly string[],
  finding: Parts,
): Finding | undefined {
  for (const server of servers) {
    const lacks = quiet.lacks(server) ?? [];
    if (lacks.length === 0) continue;
    const isDuty = quiet.mode === "nudged";
    const requirement: RequirementId = isDuty
      ? "FED.chaos.catch-up-nudged"
      : "FED.chaos.catch-up-silent";
    return {
      ...finding,
      outcome: isDuty ? "fail" : "reported",
      matter: "server",
      requirement,
      what: `${finding.what}; ${quiet.view.label(server)} has not got ${some("event", lacks)}`,
      events: [...new Set([...(finding.events ?? []), ...lacks])],
    };
  }
  return undefined;
}

/** When each has got what it should: by the oracle on what each has, a matter of the protocol or of one of them. */
export function explained(quiet: QuietRoom, servers: readonly string[], finding: Parts): Finding {
  const open: string[] = [];
  for (const server of servers) {
    const expected = quiet.expected(server);
    if (expected === undefined) {
      open.push(server);
      continue;
    }
    const keys = differingKeys(expected, quiet.states.get(server)?.state ?? {});
    if (keys.length === 0) continue;
    const { extremities = [] } = quiet.states.get(server) ?? {};
    const isOpen = isWithoutMainline(quiet.room, extremities, keys);
    return {
      ...finding,
      outcome: isOpen ? "reported" : "fail",
      matter: "server",
      requirement: isOpen ? "FED.stateres.v21.empty-mainline" : "FED.chaos.state-oracle",
      what: `${finding.what}; ${quiet.view.label(server)} alone has not what the rules give in ${some("key", keys)}`,
      servers: [server],
    };
  }
  if (open.length > 0) {
    const names = open.map((server) => quiet.view.label(server)).join(", ");
    const what = `${finding.what}; who is right can not be told, as it is not known what ${names} has`;
    return { ...finding, outcome: "unknown", what };
  }
  const resets = resetsBefore(quiet.room, quiet.ends);
  return {
    ...finding,
    outcome: "known-protocol-reset",
    matter: "protocol",
    class: resets[0]?.resetClass ?? "other",
    what: `${finding.what}, as the rules say for what each of them has`,
    events: [...new Set([...(finding.events ?? []), ...resets.map(({ lost }) => lost)])],
  };
}
