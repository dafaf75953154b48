/** Who was not there may be given old keys all the same, in a bundle, by who invites (MSC4268): what became of it. */
import type { Entry } from "#harness/clients/crypto/client-log";
import type { Case } from "../case.ts";
import { type DeviceName, isSame } from "../evidence.ts";
import { bad, clock, type Judged } from "../judged.ts";
import { outcomeOf } from "./processed.ts";

/** Of matrix-sdk-crypto, for messages that are read from signed devices alone. */
const NOT_SIGNED = "UnverifiedSenderDevice";

type Bundles = Extract<Entry, { readonly t: "bundles" }>;

/** Undefined: nobody is known to have made one, so nothing was to be expected. */
export function history(one: Case): Judged | undefined {
  const bundle = bundlesFor(one).at(-1);
  if (bundle === undefined) return undefined;
  const inviter = { user: bundle.user, device: bundle.device };
  const made = `the bundle that ${bundle.user} made at ${clock(bundle.at)}`;
  if (bundle.isEmpty)
    return bad("history.flag", `${bundle.user} had no key of the room that may be shared`);
  const targets = bundle.requests.flatMap((request) => request.targets);
  const parcel = targets.find((target) => isSame(target, one.target))?.parcel;
  if (parcel === undefined) return leftOut(one, inviter, bundle);
  return onTheWay(one, parcel, made) ?? takenIn(one, parcel, bundle, made);
}

/** For the device's user, before it was last seen to fail. */
function bundlesFor({ evidence, event, target, failedAt }: Case): readonly Bundles[] {
  return evidence.logged
    .flatMap((who) => evidence.told(who, "bundles"))
    .filter(({ room, to, at }) => room === event.room && to === target.user && at <= failedAt)
    .sort((a, b) => a.at - b.at);
}

function leftOut({ evidence, target }: Case, inviter: DeviceName, { at }: Bundles): Judged {
  const query = evidence
    .by(inviter, "query")
    .findLast(({ asked, end }) => asked.includes(target.user) && end <= at);
  const isKnown = query?.answer?.devices.some((device) => isSame(device, target)) === true;
  return isKnown
    ? bad(
        "history.withheld",
        `${inviter.user} knew the device, and told others of ${target.user} of the bundle`,
        query,
      )
    : bad("history.not-sent", `${inviter.user} did not know the device`, query);
}

/** Undefined: the message that tells of it came. */
function onTheWay({ evidence, target }: Case, parcel: string, made: string): Judged | undefined {
  const puts = evidence.puts(parcel);
  const [came] = evidence
    .syncsWith(parcel)
    .filter(
      (sync) =>
        isSame(evidence.owner(sync), target) && sync.parcels.some(({ id }) => id === parcel),
    );
  if (came !== undefined) return undefined;
  const taken = puts.find(({ isServed, got = [] }) => {
    return isServed !== false && got.some(({ parcels }) => parcels.includes(parcel));
  });
  if (taken === undefined)
    return bad("history.not-sent", `no server has what tells of ${made}`, ...puts.slice(-1));
  return bad("history.bundle-lost", `what tells of ${made} did not come to the device`, taken);
}

function takenIn(one: Case, parcel: string, bundle: Bundles, made: string): Judged {
  const { evidence, target, event, failedAt } = one;
  const sync = evidence.syncsWith(parcel)[0];
  if (outcomeOf(one, parcel) === "failed") {
    const isUnsigned = reasonsOf(one, parcel).includes(NOT_SIGNED);
    return isUnsigned
      ? bad(
          "history.refused",
          `the inviter's device was not known as signed when ${made} came`,
          sync,
        )
      : bad("history.bundle-lost", `the device could not decrypt what tells of ${made}`, sync);
  }
  const tried = evidence.told(target, "unbundled").findLast(({ room, from, at }) => {
    return room === event.room && from === bundle.user && at <= failedAt && at >= bundle.at;
  });
  switch (tried?.outcome) {
    case undefined:
      return bad("history.not-accepted", `${made} came, and was not taken in to the end`, sync);
    case "not-downloaded":
      return bad("history.bundle-lost", `the device could not download ${made}`, sync);
    case "unknown":
    case "refused":
      return bad("history.refused", `the device has dropped ${made}`, sync);
    case "imported":
      return bad("history.flag", `${made} has not got the session`, sync);
  }
}

function reasonsOf({ evidence, target }: Case, parcel: string): readonly (string | undefined)[] {
  const took = evidence.told(target, "took").flatMap(({ parcels }) => parcels);
  return took.filter(({ id }) => id === parcel).map(({ reason }) => reason);
}
