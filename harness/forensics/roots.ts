/** Why a device can not read an event: three layers, of which the last is found here. */

/** Forensic roots, and what each means. */
export const ROOTS = {
  "expected.not-member": "its user was not in the room when the event was sent",
  "expected.device-historical": "the device came after the event",
  "withheld.unverified": "the sender keeps keys from devices that their users have not signed",
  "withheld.blacklisted": "the sender keeps keys from this device",
  "withheld.no-olm": "the sender could make no Olm session, though the device had keys",
  "missing-key.not-sent": "the sender shared the session without this device",
  "missing-key.sender-stale-membership": "the sender did not know of the membership",
  "missing-key.membership-race": "the membership changed while the sender shared the session",
  "missing-key.rotation": "the sender began a new session and did not share that one",
  "devicelist.stale": "the sender's list of devices was old, and should not have been",
  "devicelist.race": "the list of devices changed while it was in use",
  "olm.otk-reused": "a one-time key was handed out twice",
  "olm.otk-desync": "the server handed out a key that the device's store does not have",
  "olm.otk-dropped": "the device dropped the private half of an old one-time key",
  "olm.otk-deleted-early":
    "the device deleted a private key after a message that it could not decrypt",
  "olm.no-otk": "there was no key to hand out",
  "olm.fallback-dropped": "a fallback key was dropped, by server or device, while in use",
  "olm.replay": "a message came again and was taken for a new one",
  "olm.order": "messages of an Olm session came in an order that lost one",
  "olm.wedged": "the two ends of the Olm session are out of step",
  "todevice.not-sent": "the message with the key was made and never sent",
  "todevice.lost-upstream": "it was lost between the sender and its server",
  "todevice.lost-server": "a server took it and did not pass it on",
  "todevice.lost-federation": "it was lost between the servers",
  "todevice.lost-downstream": "the server sent it, and it did not come to the device",
  "todevice.acked-not-processed": "it came, and the device does not have what was in it",
  "todevice.stolen": "another consumer of the device's queue got it",
  "todevice.late": "it had not come yet",
  "unknown-index": "the device has the session from a later message on",
  "megolm.index-reuse": "two events have the same place in the session",
  "trust.unsigned-device": "the sender's device is not signed by its user",
  "trust.unknown-device": "the sender's device is not known",
  "trust.verification-violation": "the sender's identity has changed since it was verified",
  "trust.mismatched-sender": "the event names another sender than its session",
  "trust.identity-mismatch": "the keys of the sender's device are not those of the session",
  "backup.incomplete": "the backup that the device restored has not got the session",
  "history.flag": "the session was not marked as one that may be shared with newcomers",
  "history.withheld": "the inviter keeps the bundle of old keys from this device",
  "history.not-sent": "the bundle of old keys was made, and this device was not told of it",
  "history.bundle-lost": "the bundle of old keys did not come",
  "history.refused":
    "the device takes no bundle of this inviter, whom it does not know well enough",
  "history.not-accepted": "the bundle of old keys came, and the device has not taken it in",
  tampering: "what came is not what was sent",
  unexplained: "no step is known to have gone wrong",
} as const;

export type Root = keyof typeof ROOTS;

/** Cause as clients report it (matrix-rust-sdk, `UtdCause`); all else is Unknown there. */
export type ProductCause =
  | "Unknown"
  | "SentBeforeWeJoined"
  | "VerificationViolation"
  | "UnsignedDevice"
  | "UnknownDevice"
  | "HistoricalMessage"
  | "WithheldForUnverifiedOrInsecureDevice"
  | "WithheldBySender";

const BY_CODE: Readonly<Record<string, ProductCause>> = {
  SenderIdentityVerificationViolation: "VerificationViolation",
  UnsignedSenderDevice: "UnsignedDevice",
  UnknownSenderDevice: "UnknownDevice",
};

export function productCause(
  root: Root,
  { code, withheld }: { readonly code?: string; readonly withheld?: string },
): ProductCause {
  if (withheld === "m.unverified") return "WithheldForUnverifiedOrInsecureDevice";
  if (withheld !== undefined) return "WithheldBySender";
  if (root === "expected.not-member") return "SentBeforeWeJoined";
  if (root === "expected.device-historical") return "HistoricalMessage";
  return BY_CODE[code ?? ""] ?? "Unknown";
}
