/** What checks of dehydrated devices share (MSC3814): devices made by hand, and where servers keep them. */
import { keyPair } from "#harness/clients/identities";
import type { HttpResponse } from "#harness/http/client";
import { path } from "#harness/http/client";
import type { Session } from "#harness/world/session";
import type { JsonObject } from "#protocol/events/event";
import { signJson } from "#protocol/events/signatures";

export const DEHYDRATED = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";
export const EVENTS = `${DEHYDRATED}/*/events`;

export interface Dehydrated {
  readonly userId: string;
  readonly deviceId: string;
  /** Body of the upload. */
  readonly body: JsonObject;
}

/** A device that nobody can rehydrate: for servers its data are any. */
export function makeDehydrated({ userId, context }: Session): Dehydrated {
  const [ed25519, curve25519] = [keyPair(context.nextName("d")), keyPair(context.nextName("d"))];
  const deviceId = context.nextName("dehydrated");
  const sign = (object: JsonObject) =>
    signJson(object, userId, `ed25519:${deviceId}`, ed25519.secret);
  const deviceKeys = sign({
    user_id: userId,
    device_id: deviceId,
    algorithms: ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
    keys: {
      [`ed25519:${deviceId}`]: ed25519.publicKey,
      [`curve25519:${deviceId}`]: curve25519.publicKey,
    },
    dehydrated: true,
  });
  const fallback = sign({ key: keyPair(context.nextName("f")).publicKey, fallback: true });
  const body = {
    device_id: deviceId,
    device_data: { algorithm: "org.matrix-crucible.none", account: "text" },
    initial_device_display_name: "dehydrated",
    device_keys: deviceKeys,
    fallback_keys: { "signed_curve25519:fallback": fallback },
  };
  return { userId, deviceId, body };
}

export function dehydrate(session: Session, { body }: Dehydrated): Promise<HttpResponse> {
  return session.put(DEHYDRATED, body);
}

export function eventsOf(session: Session, deviceId: string, from?: string): Promise<HttpResponse> {
  const target = `${DEHYDRATED}${path`/${deviceId}/events`}`;
  return session.get(target, from === undefined ? {} : { from });
}
