/** What the engine says of the to-device events that it was given. */
import { isDeepStrictEqual } from "node:util";
import {
  DecryptedToDeviceEvent,
  type ProcessedToDeviceEvent,
  ProcessedToDeviceEventType,
  ToDeviceUnableToDecryptReason,
  UTDToDeviceEvent,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { at, isObject, type JsonObject } from "#harness/match/json";
import type { Told } from "../client-log.ts";
import type { ToDeviceReport } from "../crypto-client.ts";
import { parcelsIn } from "../parcel.ts";

const ENCRYPTED = "m.room.encrypted";

/** An event that the engine has looked at: one that it has decrypted shows no ciphertext any more, but whose it was. */
export type LookedAt =
  | { readonly isDecrypted: true; readonly senderKey: string }
  | { readonly isDecrypted: false; readonly raw: JsonObject; readonly reason?: string | undefined };

/**
 * The parcels of the events that it was given, and what became of them. It looks at them in order, and keeps silent on those
 * that it drops (OlmMachine::receive_encrypted_to_device_event: what comes from dehydrated devices): so does this.
 *
 * @param own Curve25519 key of the device: what the same event has for other ones was not decrypted with it
 */
export function takenOf(
  events: readonly JsonObject[],
  looked: readonly LookedAt[],
  own: string,
): Told<"took">["parcels"] {
  const left = looked.filter((one) => one.isDecrypted || one.raw.type === ENCRYPTED);
  return events.flatMap(({ type, sender, content }) => {
    const [next] = left;
    if (type !== ENCRYPTED || next === undefined || !isOf(next, content)) return [];
    left.shift();
    return parcelsIn(content)
      .filter(({ curve25519 }) => !next.isDecrypted || curve25519 === own)
      .map(({ id, isPreKey }) => ({
        id,
        sender: String(sender),
        isPreKey,
        outcome: next.isDecrypted ? "decrypted" : "failed",
        ...(!next.isDecrypted && next.reason !== undefined && { reason: next.reason }),
      }));
  });
}

function isOf(looked: LookedAt, content: unknown): boolean {
  // Senders may pad it.
  const bytes = (key: unknown) => Buffer.from(String(key), "base64");
  if (looked.isDecrypted) return bytes(at(content, "sender_key")).equals(bytes(looked.senderKey));
  const ids = (of: unknown) => parcelsIn(of).map(({ id }) => id);
  return isDeepStrictEqual(ids(looked.raw.content), ids(content));
}

export function lookedAt(event: ProcessedToDeviceEvent): LookedAt {
  if (event instanceof DecryptedToDeviceEvent)
    return { isDecrypted: true, senderKey: event.encryptionInfo.senderCurve25519Key };
  const raw = JSON.parse(event.rawEvent) as JsonObject;
  return { isDecrypted: false, raw, reason: toDeviceReport(event).reason };
}

export function toDeviceReport(event: ProcessedToDeviceEvent): ToDeviceReport {
  const { type, sender } = JSON.parse(event.rawEvent) as JsonObject;
  const base = { type: String(type), sender: String(sender) };
  if (event instanceof DecryptedToDeviceEvent) return { ...base, outcome: "decrypted" };
  if (event instanceof UTDToDeviceEvent) {
    const { reason } = event.utdInfo;
    return {
      ...base,
      outcome: "undecryptable",
      reason: ToDeviceUnableToDecryptReason[reason] ?? String(reason),
    };
  }
  const isPlain = event.type === ProcessedToDeviceEventType.PlainText;
  return { ...base, outcome: isPlain ? "plain" : "invalid" };
}

/** A to-device event with what it says. */
export interface Letter extends ToDeviceReport {
  /** As the event says, or the one within when it was decrypted. */
  readonly content: JsonObject;
  /** Device that has encrypted it; undefined: it was not encrypted, or by one that is not known. */
  readonly senderDevice: string | undefined;
}

export function letterOf(event: ProcessedToDeviceEvent): Letter {
  const { content } = JSON.parse(event.rawEvent) as JsonObject;
  const isDecrypted = event instanceof DecryptedToDeviceEvent;
  return {
    ...toDeviceReport(event),
    content: isObject(content) ? content : {},
    senderDevice: isDecrypted ? event.encryptionInfo.senderDevice?.toString() : undefined,
  };
}
