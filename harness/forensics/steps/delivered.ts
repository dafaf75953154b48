/** Step 7: did it come to the device, and was it taken in before it was acknowledged? */
import { digest } from "#harness/clients/crypto/parcel";
import { type Case, parcelOf } from "../case.ts";
import { isSame } from "../evidence.ts";
import type { SyncAnswer } from "../facts.ts";
import { bad, clock, good, type Judged, skipped, unknown } from "../judged.ts";

/** To-device events that an answer of Synapse has at most: more are to come. */
const PAGE = 100;

export function delivered(one: Case): Judged {
  const { evidence, target, attempt, failedAt } = one;
  const parcel = attempt?.parcel;
  if (parcel === undefined) return skipped("there is no message");
  const syncs = evidence.syncsWith(parcel);
  const own = syncs.filter((sync) => isSame(evidence.owner(sync), target));
  const came = own.filter(
    (sync) => sync.isAnswered && sync.parcels.some(({ id }) => id === parcel),
  );
  const [first] = came;
  if (first === undefined) return notCome(one, parcel, own, syncs);
  if (first.end > failedAt) {
    return bad("todevice.late", `it came at ${clock(first.end)}, after the event was read`, first);
  }
  return taken(one, parcel, came);
}

function notCome(
  one: Case,
  parcel: string,
  own: readonly SyncAnswer[],
  all: readonly SyncAnswer[],
): Judged {
  const { evidence, target, failedAt } = one;
  const cut = own.at(-1);
  if (cut?.isAnswered) {
    return changedOnItsWay(one, parcel, cut)
      ? bad("tampering", "another message came in its place", cut)
      : bad(
          "todevice.lost-downstream",
          "the server sent it, and the answer that came was without it",
          cut,
        );
  }
  if (cut !== undefined) {
    const later = answered(one, cut.end);
    const again = later.find(({ since }) => since === cut.since);
    if (again !== undefined) {
      return bad(
        "todevice.lost-server",
        "an answer with it broke, and the next one was without it",
        cut,
        again,
      );
    }
    return later.length === 0
      ? bad("todevice.late", "the answer with it broke, and the device has not asked again", cut)
      : bad(
          "todevice.lost-downstream",
          "the answer with it broke, and the device went on from after it",
          cut,
        );
  }
  const [other] = all;
  if (other !== undefined) {
    const who = evidence.owner(other);
    return bad("todevice.stolen", `it went to ${who?.device ?? "another client"}`, other);
  }
  const since = evidence.puts(parcel).at(-1)?.end ?? one.event.at;
  const asked = answered(one, since).filter(({ at }) => at <= failedAt);
  const last = asked.at(-1);
  if (last === undefined) {
    return bad("todevice.late", `the device has not synced since it was sent at ${clock(since)}`);
  }
  const unclear = asked.find(({ isCut }) => isCut);
  if (unclear !== undefined) return unknown("the trace does not have all answers whole", unclear);
  if (last.parcels.length >= PAGE) {
    return bad("todevice.late", "more messages were waiting than one answer has", last);
  }
  const stripped = asked.find(
    ({ rules, said, parcels }) => rules.length > 0 && said.parcels.length > parcels.length,
  );
  return bad(
    "todevice.lost-server",
    `${asked.length} syncs of ${target.device} were answered since, none with it`,
    ...(stripped === undefined ? [] : [stripped]),
    ...asked.slice(-2),
  );
}

/** Syncs of the device that came back whole and began after then. */
function answered({ evidence, target }: Case, since: number): readonly SyncAnswer[] {
  return evidence
    .by(target, "sync")
    .filter(({ at, isAnswered, status }) => at >= since && isAnswered && status === 200);
}

function changedOnItsWay(one: Case, parcel: string, sync: SyncAnswer): boolean {
  const key = parcelOf(one, parcel)?.curve25519;
  return sync.parcels.some(
    ({ id, curve25519 }) => curve25519 === key && one.evidence.puts(id).length === 0,
  );
}

/** Whether the device's engine had it, by its own log. */
function taken(one: Case, parcel: string, came: readonly SyncAnswer[]): Judged {
  const { evidence, target } = one;
  const last = came.at(-1);
  if (evidence.log(target) === undefined) return good("it came to the device", last);
  const got = evidence.told(target, "got").filter(({ exchange }) => exchange !== undefined);
  const took = evidence
    .told(target, "took")
    .filter(({ parcels }) => parcels.some(({ id }) => id === parcel));
  const isOurs = came.some(({ id }) => got.some(({ exchange }) => exchange === id));
  if (took.length === 0 && got.length > 0 && !isOurs) {
    return bad("todevice.stolen", "another consumer of the device's queue got it", last);
  }
  if (took.length === 0) {
    const next = last?.next;
    const isAcknowledged =
      evidence.by(target, "sync").some(({ since }) => since !== undefined && since === next) ||
      (next !== undefined &&
        evidence.told(target, "acknowledged").some((told) => told.next === digest(next)));
    return isAcknowledged
      ? bad(
          "todevice.acked-not-processed",
          "it came, was acknowledged, and was never taken in",
          last,
        )
      : bad(
          "todevice.late",
          "it came, and the device ended before it took it in: it comes again",
          last,
        );
  }
  return kept(one, took, last);
}

/** Taken in: is it still there? */
function kept(
  { evidence, target, failedAt }: Case,
  took: readonly { readonly at: number; readonly next: string }[],
  sync: SyncAnswer | undefined,
): Judged {
  const { at = 0, next } = took.at(-1) ?? {};
  const starts = evidence.told(target, "start").filter((one) => one.at > at && one.at <= failedAt);
  const reset = starts.find(({ store }) => store !== "kept");
  if (reset !== undefined) {
    return bad(
      "todevice.acked-not-processed",
      `it was taken in at ${clock(at)}, and at ${clock(reset.at)} the device started with a store that is ${reset.store}, without it`,
      sync,
    );
  }
  const [again] = starts;
  const isOnDisk = evidence
    .told(target, "acknowledged")
    .some((told) => told.next === next && told.at >= at && told.at <= (again?.at ?? failedAt));
  // What is acknowledged after it was taken in is on disk; what is acknowledged before may die with the client.
  return again === undefined || isOnDisk
    ? good("it came, and was taken in before it was acknowledged", sync)
    : bad(
        "todevice.acked-not-processed",
        `it was taken in at ${clock(at)}, and the device ended before it was on disk`,
        sync,
      );
}
