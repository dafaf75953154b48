/** Steps 9 and 10: the session that the device has, and whether it trusts where that came from. */
import type { Case } from "../case.ts";
import { isSame } from "../evidence.ts";
import { bad, clock, good, type Judged, skipped, unknown } from "../judged.ts";
import type { Root } from "../roots.ts";
import { staleSignature } from "./policy.ts";
import { signatureState } from "./signed.ts";

/** Codes of matrix-sdk-crypto that come after a session was found; other libraries have words of their own. */
const AFTER_KEY: readonly (string | undefined)[] = [
  "MismatchedIdentityKeys",
  "UnknownSenderDevice",
  "UnsignedSenderDevice",
  "SenderIdentityVerificationViolation",
  "UnableToDecrypt",
  "MismatchedSender",
];

/** The device has the session, whatever became of single messages. */
export function hasSession({ native }: Pick<Case, "native">): boolean {
  return AFTER_KEY.includes(native.code);
}

export function stored(one: Case): Judged {
  const { evidence, event, native } = one;
  const { code } = native;
  const twin = evidence
    .all("event")
    .find(
      (seen) =>
        seen.session === event.session &&
        seen.index === event.index &&
        seen.index !== undefined &&
        seen.event !== event.id &&
        seen.ciphertext !== event.sent?.ciphertext,
    );
  const changed = changedEvent(one);
  if (changed !== undefined && code !== "MismatchedSender") return changed;
  if (twin !== undefined && code !== undefined && !code.endsWith("Device")) {
    return bad(
      "megolm.index-reuse",
      `${twin.event} has the same place ${event.index} in the session`,
      event.sent,
      twin,
    );
  }
  if (code === "UnknownMessageIndex") {
    return bad(
      "unknown-index",
      `the device has the session from a later message on, the event is message ${event.index ?? "?"}`,
      event.sent,
    );
  }
  return hasSession(one)
    ? good("the device has the session")
    : unknown("the records do not tell which sessions the device has");
}

/** The ciphertext of the event, at its sender, at the server, and as the device saw it. */
function changedEvent({ evidence, event, target }: Case): Judged | undefined {
  const { sent } = event;
  if (sent === undefined) return undefined;
  if (sent.said !== sent.ciphertext)
    return bad("tampering", "the event was changed on its way up", sent);
  const shown = event.shown.find(
    (seen) => isSame(evidence.owner(seen), target) && seen.ciphertext !== sent.ciphertext,
  );
  return shown === undefined
    ? undefined
    : bad(
        "tampering",
        "the event that the device was shown is not the one that was sent",
        sent,
        shown,
      );
}

const TRUST: Readonly<Record<string, Root>> = {
  UnknownSenderDevice: "trust.unknown-device",
  UnsignedSenderDevice: "trust.unsigned-device",
  SenderIdentityVerificationViolation: "trust.verification-violation",
  MismatchedSender: "trust.mismatched-sender",
  MismatchedIdentityKeys: "trust.identity-mismatch",
};

export function trusted(one: Case): Judged {
  const { evidence, event, target, native, failedAt } = one;
  const root = TRUST[native.code ?? ""];
  if (root === undefined) return skipped("trust was not the reason");
  const { sender } = event;
  const isOfList = root === "trust.unsigned-device" || root === "trust.unknown-device";
  if (!isOfList || sender.device === undefined) {
    const shown = event.shown.find((seen) => isSame(evidence.owner(seen), target));
    return bad(root, `the device's engine says ${native.code}`, event.sent, shown);
  }
  const until = Math.min(failedAt, Number.MAX_SAFE_INTEGER);
  const state = signatureState(evidence, sender, target, until);
  const why = staleSignature(state);
  if (why !== undefined)
    return bad(
      why.root,
      `the sender's device counts as unsigned, though ${why.says}`,
      state.stored,
      state.seen,
    );
  const lost =
    state.lost === undefined
      ? ""
      : `; a signature was sent at ${clock(state.lost.at)} and not stored`;
  const says = state.isSeen
    ? "though the last answer to the device had it signed"
    : `the sender's device is not signed, as far as the server knows${lost}`;
  return bad(root, `${native.code}: ${says}`, state.seen, state.lost);
}
