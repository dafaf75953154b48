/** Step 1: was the device one of those that the event is for? */
import { type Case, shares } from "../case.ts";
import { domainOf, isSame } from "../evidence.ts";
import type { Membership } from "../facts.ts";
import { bad, clock, good, type Judged, unknown } from "../judged.ts";
import { history } from "./history.ts";

const IN_ROOM: readonly string[] = ["join", "invite"];

export function entitled(one: Case): Judged {
  return membership(one) ?? creation(one) ?? good("its user was in the room, and the device there");
}

function membership(one: Case): Judged | undefined {
  const { event, target } = one;
  if (target.user === event.sender.user) return undefined;
  const all = memberships(one);
  if (all.length === 0) return unknown("the records show no membership of its user");
  const there = latest(all, (fact) => fact.since, event.at);
  if (there === undefined || !IN_ROOM.includes(there.membership)) {
    const next = all.find(({ since }) => since > event.at);
    const bundle = history(one);
    if (bundle !== undefined) return bundle;
    const came = next === undefined ? "" : `, ${next.membership} came at ${clock(next.since)}`;
    return bad(
      "expected.not-member",
      `${target.user} was ${there?.membership ?? "not in the room"} when the event was sent${came}`,
      there,
      next,
    );
  }
  const server = event.sent?.to;
  if (server === undefined) return undefined;
  const isLocal = domainOf(target.user) === domainOf(event.sender.user);
  // What others' users did is known to a server when it is told, whatever time stamp it has.
  const known = latest(
    all.filter((fact) => fact.server === server),
    (fact) => (isLocal ? fact.since : fact.end),
    event.at,
  );
  if (known === undefined || !IN_ROOM.includes(known.membership)) {
    return bad(
      "missing-key.sender-stale-membership",
      `${target.user} was ${there.membership} since ${clock(there.since)}, and the sender's server did not know of it yet`,
      there,
    );
  }
  return senderView(one, known);
}

/** Whom the sender's client took for members when it last shared the session. */
function senderView({ evidence, event, target }: Case, known: Membership): Judged | undefined {
  if (event.sender.device === undefined) return undefined;
  const told = shares(evidence, event).filter(({ at }) => at <= event.at);
  const lists = evidence
    .by(event.sender, "members")
    .filter(({ room, at }) => room === event.room && at <= event.at);
  const users = told.length > 0 ? told.flatMap((share) => share.users) : lists.at(-1)?.users;
  if (users === undefined || users.includes(target.user)) return undefined;
  const asked = lists.at(-1);
  const knewAt = known.end;
  if (asked !== undefined && asked.at < knewAt) {
    return bad(
      "missing-key.membership-race",
      `the sender asked for the members at ${clock(asked.at)}, before its server knew of ${target.user} at ${clock(knewAt)}`,
      asked,
      known,
    );
  }
  return bad(
    "missing-key.sender-stale-membership",
    `the sender shared the session with ${users.length} users, without ${target.user}, of whom its server knew since ${clock(knewAt)}`,
    known,
    asked,
  );
}

function memberships({ evidence, event, target }: Case): readonly Membership[] {
  return evidence
    .all("membership")
    .filter(
      (fact) =>
        fact.room === event.room && (fact.user ?? evidence.owner(fact)?.user) === target.user,
    );
}

function latest(
  facts: readonly Membership[],
  timeOf: (fact: Membership) => number,
  until: number,
): Membership | undefined {
  return facts
    .filter((fact) => timeOf(fact) <= until)
    .sort((a, b) => timeOf(a) - timeOf(b) || a.n - b.n)
    .at(-1);
}

/** A device that came later gets old keys from a backup, or not at all. */
function creation(one: Case): Judged | undefined {
  const { evidence, event, target } = one;
  const first = evidence
    .all("upload")
    .find(({ device }) => device !== undefined && isSame(device, target));
  if (first === undefined || first.at <= event.at) return undefined;
  const fetched = evidence.by(target, "backup").filter(({ how }) => how === "fetched");
  if (fetched.length > 0) {
    const has = (how: "fetched" | "stored") =>
      evidence
        .all("backup")
        .some(
          (fact) =>
            fact.how === how && fact.sessions.some(({ session }) => session === event.session),
        );
    if (!has("fetched")) {
      return bad(
        "backup.incomplete",
        has("stored")
          ? "the session was put into the backup, and what the device restored did not have it"
          : "the device restored the backup, into which nobody had put the session",
        ...fetched.slice(-1),
      );
    }
  }
  return bad(
    "expected.device-historical",
    `the device's keys came at ${clock(first.at)}, after the event at ${clock(event.at)}`,
    first,
  );
}
