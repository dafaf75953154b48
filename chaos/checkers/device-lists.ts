import type { JournalView, RecordOf } from "#chaos/journal/view";
import { domainOf } from "#protocol/auth/auth-event";
import type { Checker, Looking } from "./checker.ts";
import { type QuietRoom, quietRooms } from "./quiet-room.ts";

export const deviceLists: Checker = {
  name: "device-lists",
  statement: "users who share a room with one whose devices change are told so, also after a split",
  requirement: "FED.txn.device-list-sent",
  look(view, epoch, looking) {
    looking.because("nobody changed his devices while others looked on");
    const rooms = quietRooms(view, epoch);
    const { first } = view.span(epoch);
    const changes = view
      .until("step", epoch)
      .filter(
        ({ op, outcome }) => (op === "new-device" || op === "upload-keys") && outcome === "ok",
      );
    for (const change of changes) {
      for (const user of observersOf(view, change, rooms)) {
        lookAt(view, epoch, change, user, change.seq >= first, looking);
      }
    }
  },
};

/** Who syncs, and shared a room with the user when he changed his devices and does so still. */
function observersOf(
  view: JournalView,
  { by, seq }: RecordOf<"step">,
  rooms: readonly QuietRoom[],
): ReadonlySet<string> {
  const syncing = new Set(view.all("sync").flatMap((one) => (one.seq < seq ? one.user : [])));
  const isOld = new Set(view.all("pdu").flatMap((one) => (one.seq < seq ? one.event_id : [])));
  const found = new Set<string>();
  for (const { room, truth } of rooms) {
    if (truth === undefined || room.membership(truth, by) !== "join") continue;
    const isOldMember = (user: string) =>
      room.membership(truth, user) === "join" &&
      isOld.has(room.at(truth, "m.room.member", user)?.id ?? "");
    if (!isOldMember(by)) continue;
    for (const user of syncing) if (user !== by && isOldMember(user)) found.add(user);
  }
  return found;
}

function lookAt(
  view: JournalView,
  epoch: number,
  change: RecordOf<"step">,
  user: string,
  isRecent: boolean,
  looking: Looking,
): void {
  looking.at();
  const isTold = view
    .until("device-lists", epoch)
    .some(
      ({ at, user: told, changed }) =>
        told === user && at >= change.began && changed.includes(change.by),
    );
  if (isTold) return;
  const server = domainOf(user);
  const isSent = view
    .until("device-update", epoch)
    .some(
      ({ at, server: to, users }) =>
        to === server && at >= change.began && users.includes(change.by),
    );
  // The duty is that of one server to tell the other. How long that may take is not stated: what is not sent one
  // convergence later is lost. When the other one tells its users is stated nowhere, and of a device without keys it need not.
  const isDuty = server !== change.server && !isSent && !isRecent && change.op === "upload-keys";
  looking.find({
    outcome: isDuty ? "fail" : "reported",
    matter: "server",
    ...(isSent || server === change.server ? {} : { requirement: "FED.txn.device-list-sent" }),
    what: `${user} was not told that the devices of ${change.by} changed by ${change.step}${isSent ? ", as his server was" : ""}`,
    servers: [...new Set([change.server, server])],
  });
}
