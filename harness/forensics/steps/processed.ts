/** Step 8: could the device decrypt it? */
import { type Case, parcelOf } from "../case.ts";
import { bad, clock, good, type Judged, skipped, unknown } from "../judged.ts";

/** Private halves that a client keeps at least: libolm has so many, vodozemac more. */
const KEPT_KEYS = 100;
/** Uploads of a fallback key after which clients may forget one: the specification keeps the one before. */
const KEPT_FALLBACKS = 2;

type Outcome = "decrypted" | "failed" | undefined;

/** Of all the times that it came; undefined: the device kept no log, or has not taken it in. */
export function outcomeOf(
  { evidence, target }: Pick<Case, "evidence" | "target">,
  id: string,
): Outcome {
  const outcomes = evidence
    .told(target, "took")
    .flatMap(({ parcels }) => parcels.filter((parcel) => parcel.id === id))
    .map(({ outcome }) => outcome);
  if (outcomes.includes("decrypted")) return "decrypted";
  return outcomes.includes("failed") ? "failed" : undefined;
}

export function processed(one: Case): Judged {
  const parcel = one.attempt?.parcel;
  if (parcel === undefined) return skipped("there is no message");
  switch (outcomeOf(one, parcel)) {
    case "decrypted":
      return good("the device decrypted it");
    case undefined:
      return unknown("the device kept no log of what it could decrypt");
    case "failed":
      return failed(one, parcel);
  }
}

function failed(one: Case, id: string): Judged {
  const { evidence, target } = one;
  const parcel = parcelOf(one, id);
  const took = evidence.told(target, "took");
  const at = took.find(({ parcels }) => parcels.some((p) => p.id === id))?.at ?? 0;
  const sync = evidence.syncsWith(id)[0];
  const reset = evidence
    .told(target, "start")
    .findLast((start) => start.at <= at && start.store !== "kept");
  const hadBefore = took.some((told) => reset !== undefined && told.at < reset.at);
  if (parcel?.isPreKey !== true) {
    const earlier = took.filter(
      (told) =>
        told.at < at &&
        told.parcels.some(
          ({ outcome, sender }) => outcome === "failed" && sender === one.event.sender.user,
        ),
    );
    if (hadBefore && reset !== undefined) {
      return bad(
        "olm.wedged",
        `the device could not decrypt it: since ${clock(reset.at)} its store is ${reset.store}, without the session`,
        sync,
      );
    }
    if (earlier.length > 0) {
      return bad(
        "olm.wedged",
        `the device could not decrypt it, after ${earlier.length} others of the sender that it could not`,
        sync,
      );
    }
    const inOrder = took.find(({ parcels }) => parcels.some((p) => p.id === id))?.parcels ?? [];
    return inOrder.filter(({ sender }) => sender === one.event.sender.user).length > 1
      ? bad("olm.order", "the device could not decrypt it among others of the same sender", sync)
      : bad("unexplained", "the device could not decrypt it, the first that it could not", sync);
  }
  return keyGone(one, parcel.oneTimeKey, at, sync);
}

/** Why the private half of a key that the device has published is not there. */
function keyGone(
  { evidence, target }: Case,
  key: string | undefined,
  at: number,
  sync: Parameters<typeof good>[1],
): Judged {
  const uploads = evidence.by(target, "upload").filter((upload) => upload.at <= at);
  const has = (keys: readonly { readonly key: string }[]) => keys.some((one) => one.key === key);
  const upload = uploads.find((one) => has([...one.oneTimeKeys, ...one.fallbackKeys]));
  const later = uploads.filter((one) => upload !== undefined && one.n > upload.n);
  if (upload !== undefined && has(upload.fallbackKeys)) {
    const newer = new Set(later.flatMap(({ fallbackKeys }) => fallbackKeys.map((one) => one.key)));
    newer.delete(key ?? "");
    return newer.size >= KEPT_FALLBACKS
      ? bad(
          "olm.fallback-dropped",
          `the fallback key that it is for was replaced ${newer.size} times before it came`,
          upload,
          sync,
        )
      : bad(
          "unexplained",
          "the device could not decrypt it, though it should have the fallback key",
          upload,
          sync,
        );
  }
  const same = evidence
    .told(target, "took")
    .flatMap((told) => told.parcels.map((parcel) => ({ ...parcel, at: told.at })))
    .filter(({ outcome, at: then }) => outcome !== undefined && then <= at);
  const spent = evidence
    .all("sync")
    .flatMap(({ parcels }) => parcels)
    .filter(({ oneTimeKey }) => oneTimeKey !== undefined && oneTimeKey === key)
    .flatMap(({ id }) => same.filter((parcel) => parcel.id === id));
  const firstFailed = spent.find(({ outcome, at: then }) => outcome === "failed" && then < at);
  if (firstFailed !== undefined) {
    return bad(
      "olm.otk-deleted-early",
      `a message for the same key failed at ${clock(firstFailed.at)}, and the key was gone`,
      upload,
      sync,
    );
  }
  const decrypted = spent.find(({ outcome }) => outcome === "decrypted");
  if (decrypted !== undefined) {
    return bad(
      "olm.replay",
      `the key had served at ${clock(decrypted.at)} for another message`,
      upload,
      sync,
    );
  }
  const newer = later.reduce((sum, { oneTimeKeys }) => sum + oneTimeKeys.length, 0);
  return newer >= KEPT_KEYS
    ? bad(
        "olm.otk-dropped",
        `the device has published ${newer} keys since the one that it is for`,
        upload,
        sync,
      )
    : bad(
        "unexplained",
        "the device could not decrypt it, though it should have the key",
        upload,
        sync,
      );
}
