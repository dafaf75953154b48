import type { JournalView, RecordOf } from "#chaos/journal/view";
import type { RequirementId } from "#harness/requirements/ids.generated";
import type { Checker, Looking } from "./checker.ts";

export const allReadable: Checker = {
  name: "all-readable",
  statement: "what is said in an encrypted room can be read on every device that is entitled to it",
  look(view, epoch, looking) {
    looking.because("no device read an encrypted event");
    const readable = new Set(
      view.until("decryption", epoch).flatMap((one) => (one.isReadable ? placeOf(one) : [])),
    );
    for (const one of view.during("decryption", epoch)) {
      looking.at();
      if (!one.isReadable && !readable.has(placeOf(one))) judge(view, one, looking);
    }
  },
};

/** Nobody is owed a key of these: who was not there, and whom a sender keeps out as it should. */
const DECLARED = /^(expected\..*|withheld\.(unverified|blacklisted))$/;
/** A split keeps a sender from knowing who is there, and with what devices and keys: no rule is broken. */
const OF_SPLITS = new Set([
  "missing-key.sender-stale-membership",
  "missing-key.membership-race",
  "devicelist.stale",
  "devicelist.race",
  "olm.no-otk",
  "withheld.no-olm",
]);
/** What a server has to do, where it was the server that lost it. */
const DUTIES: Readonly<Record<string, RequirementId>> = {
  "todevice.lost-server": "E2EE.todevice.no-ack-no-delete",
  "todevice.lost-federation": "E2EE.todevice.fed-retry",
  "olm.otk-reused": "E2EE.claim.unique",
};

function judge(view: JournalView, unread: RecordOf<"decryption">, looking: Looking): void {
  const { user, device, event_id: event, room, server, code } = unread;
  const { root, why, page, isInSplit = false } = unread;
  if (root !== undefined && DECLARED.test(root)) return;
  const what = [
    `${device} of ${user} can not read ${event} (${code})`,
    root ?? "nobody found out why",
    ...(why === undefined ? [] : [why]),
    ...(page === undefined ? [] : [`see ${page}`]),
  ].join(": ");
  const place = { room, servers: [view.label(server)], events: [event] };
  if (root === undefined) {
    looking.find({ outcome: "unknown", what, ...place });
    return;
  }
  if (isInSplit && OF_SPLITS.has(root)) {
    looking.find({ outcome: "reported", matter: "protocol", what, ...place });
    return;
  }
  const requirement = DUTIES[root];
  const duty = requirement === undefined ? {} : { requirement, matter: "server" as const };
  looking.find({ outcome: "fail", what, ...duty, ...place });
}

function placeOf({ device, event_id: event }: RecordOf<"decryption">): string {
  return `${device} ${event}`;
}
