/** Step 4: the Olm session to the device, and the key of the device that it stands on. */
import { type Case, parcelOf } from "../case.ts";
import { domainOf, type Evidence, isSame } from "../evidence.ts";
import type { KeyClaim } from "../facts.ts";
import { bad, clock, good, type Judged, skipped, unknown } from "../judged.ts";
import { outcomeOf } from "./processed.ts";

export function olm(one: Case): Judged {
  const { attempt, native } = one;
  if (attempt?.parcel !== undefined) return ofParcel(one, attempt.parcel);
  const code = attempt?.withheld ?? native.withheld;
  return code === "m.no_olm" ? noSession(one) : skipped("no message was made");
}

/** The claim that should have opened a session. */
function noSession(one: Case): Judged {
  const { evidence, event, target, sharedAt } = one;
  if (event.sender.device === undefined) return bad("withheld.no-olm", "the sender had no session");
  const claim = evidence
    .by(event.sender, "claim")
    .findLast(({ asked, at }) => at <= sharedAt && asked.some((asked) => isSame(asked, target)));
  if (claim === undefined) {
    return bad("withheld.no-olm", "the sender had no session, and claimed no key for one");
  }
  if (claim.answer === undefined) {
    return bad("withheld.no-olm", "the claim of a key got no answer", claim);
  }
  const handedOut = claim.answer.find((key) => isSame(key, target));
  const said = claim.said?.find((key) => isSame(key, target));
  if (handedOut !== undefined) {
    return said?.key !== handedOut.key
      ? bad("tampering", "the key that the server handed out was changed on its way", claim)
      : bad("withheld.no-olm", "the sender made no session with the key that it got", claim);
  }
  if (said !== undefined) {
    return bad("withheld.no-olm", "the server handed out a key, and it was lost on its way", claim);
  }
  if (claim.failures.includes(domainOf(target.user))) {
    return bad("withheld.no-olm", `${domainOf(target.user)} did not answer the claim`, claim);
  }
  return emptyHanded(one, claim);
}

function emptyHanded({ evidence, target }: Case, claim: KeyClaim): Judged {
  const uploads = evidence.by(target, "upload").filter(({ end }) => end <= claim.at);
  const issued = issuedKeys(evidence, target, claim.n);
  const left = uploads
    .flatMap(({ oneTimeKeys }) => oneTimeKeys)
    .filter(({ key }) => !issued.some((one) => one.key === key));
  const fallback = uploads.flatMap(({ fallbackKeys }) => fallbackKeys).at(-1);
  if (left.length > 0) {
    const many = `${left.length} of its keys had not been handed out`;
    return bad("withheld.no-olm", `the server handed out no key, though ${many}`, claim);
  }
  return fallback === undefined
    ? bad("olm.no-otk", "the server had no key of the device left", claim)
    : bad(
        "olm.fallback-dropped",
        "the server handed out no key, though there was a fallback",
        claim,
      );
}

/** Keys of a device that claims handed out, with the claims. */
function issuedKeys(evidence: Evidence, target: Case["target"], before: number) {
  return evidence
    .all("claim")
    .filter(({ n }) => n < before)
    .flatMap((claim) =>
      (claim.answer ?? [])
        .filter((key) => isSame(key, target))
        .map((key) => ({ claim, id: key.id, key: key.key })),
    );
}

function ofParcel(one: Case, id: string): Judged {
  const { evidence, target } = one;
  const parcel = parcelOf(one, id);
  if (outcomeOf(one, id) === "decrypted") return good("the two had a session");
  if (parcel === undefined) return unknown("the records do not show the message");
  if (!parcel.isPreKey) return good("the sender used a session that it had");
  const { oneTimeKey } = parcel;
  if (oneTimeKey === undefined)
    return unknown("the message does not tell its key", ...evidence.puts(id));
  const uploads = evidence.by(target, "upload");
  const upload = uploads.findLast(({ oneTimeKeys, fallbackKeys }) =>
    [...oneTimeKeys, ...fallbackKeys].some(({ key }) => key === oneTimeKey),
  );
  const isFallback = upload?.fallbackKeys.some(({ key }) => key === oneTimeKey) === true;
  const claims = issuedKeys(evidence, target, Number.POSITIVE_INFINITY).filter(
    ({ key }) => key === oneTimeKey,
  );
  const [first, second] = claims;
  if (!isFallback && first !== undefined && second !== undefined) {
    return bad(
      "olm.otk-reused",
      `the key ${first.id} was handed out ${claims.length} times, first at ${clock(first.claim.at)}`,
      first.claim,
      second.claim,
    );
  }
  if (upload === undefined) {
    return uploads.length === 0
      ? unknown("the records do not show the device's keys")
      : bad(
          "olm.otk-desync",
          "the message is for a key that the device never published",
          first?.claim,
        );
  }
  const delivered = evidence.syncsWith(id)[0]?.at ?? Number.POSITIVE_INFINITY;
  const reset = evidence
    .told(target, "start")
    .find(({ at, store }) => store !== "kept" && at > upload.end && at <= delivered);
  if (reset !== undefined) {
    return bad(
      "olm.otk-desync",
      `the message is for a key from before ${clock(reset.at)}, when the device's store was ${reset.store}`,
      upload,
      first?.claim,
    );
  }
  return good("the sender used a key that the device had published", upload, first?.claim);
}
