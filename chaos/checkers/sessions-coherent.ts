import type { HeldSession } from "#chaos/journal/record";
import type { RecordOf } from "#chaos/journal/view";
import type { RequirementId } from "#harness/requirements/ids.generated";
import type { Checker, Looking } from "./checker.ts";
import { some } from "./checker.ts";

const COHERENT: RequirementId = "MSC3861.chaos.killed-in-exchange";

/** What happens to an auth service, or on the way to it, costs nobody a session and leaves nothing half done. */
export const sessionsCoherent: Checker = {
  name: "sessions-coherent",
  statement:
    "each device has a session at the auth service and each session a device, no token is without one, and nobody is signed out who did not sign out",
  requirement: COHERENT,
  look(view, epoch, looking) {
    looking.because("servers have no auth services");
    for (const record of view.during("sessions", epoch)) {
      const { devices, sessions } = record;
      if (devices === undefined || sessions === undefined) {
        const who = devices === undefined ? record.server : "the auth service";
        looking.find({
          outcome: "unknown",
          what: `${who} did not tell what ${record.user} has ${devices === undefined ? "for devices" : "for sessions"}`,
        });
        continue;
      }
      compare(record, devices, sessions, looking);
      for (const held of record.held) lookAt(record, held, devices, looking);
    }
  },
};

function compare(
  { user, server }: RecordOf<"sessions">,
  devices: readonly string[],
  sessions: readonly string[],
  looking: Looking,
): void {
  looking.at(new Set([...devices, ...sessions]).size);
  const alone = devices.filter((device) => !sessions.includes(device));
  const without = sessions.filter((device) => !devices.includes(device));
  const found = (what: string) =>
    looking.find({
      outcome: "fail",
      matter: "server",
      requirement: COHERENT,
      what,
      servers: [server],
    });
  if (alone.length > 0) found(`${user} has ${some("device", alone)} without a session`);
  if (without.length > 0)
    found(`${user} has a session, and no device, of each of ${some("device", without)}`);
}

function lookAt(
  { user, server }: RecordOf<"sessions">,
  { operation, device, state, refresh, error, whoami }: HeldSession,
  devices: readonly string[],
  looking: Looking,
): void {
  looking.at();
  const who = `${device} of ${user}, who signed in by ${operation}`;
  const found = (what: string, requirement: RequirementId) =>
    looking.find({ outcome: "fail", matter: "server", requirement, what, servers: [server] });
  const isAccepted = whoami === 200;
  if (isAccepted && !devices.includes(device)) found(`${who}: a token without a device`, COHERENT);
  if (state === "out") {
    if (isAccepted) found(`${who}: the token works after signing out`, "MSC3861.revoke.immediate");
    return;
  }
  if (refresh === 400 && error === "invalid_grant") {
    found(`${who}: the session is gone`, "MSC3861.chaos.refresh-through-kills");
  } else if (state === "in" && refresh === 200 && whoami === 401) {
    found(`${who}: the token of a refresh is not known`, "MSC3861.user.outage-no-logout");
  } else if (state === "leaving" || refresh !== 200 || whoami !== 200) {
    looking.find({
      outcome: "unknown",
      what: `${who}: the auth service or its server does not answer (${[refresh, whoami].map((status) => status ?? "nothing").join(", ")})`,
    });
  }
}
