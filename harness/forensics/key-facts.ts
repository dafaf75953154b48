/** Facts of the end-to-end encryption endpoints (client-server API, "End-to-End Encryption"). */

import { parcelsIn } from "#harness/clients/crypto/parcel";
import { isObject, type JsonObject } from "#harness/match/json";
import type {
  Addressed,
  ClaimedKey,
  DeviceLists,
  Fact,
  KnownDevice,
  UploadedKey,
} from "./facts.ts";
import { unpadded } from "./prekey.ts";
import { parcelsOf, withheldIn } from "./to-device.ts";
import { entries, text, texts, type View } from "./view.ts";

export function uploadIn({ moment, request, got, answer }: View): Fact {
  const body = got ?? request;
  const isTaken = got !== undefined && (answer !== undefined || moment.isServed === true);
  const keys = (name: string) => (isTaken ? keysOf(body[name]) : []);
  return {
    ...moment,
    kind: "upload",
    device: deviceOf(body.device_keys),
    oneTimeKeys: keys("one_time_keys"),
    fallbackKeys: [...keys("fallback_keys"), ...keys("org.matrix.msc2732.fallback_keys")],
  };
}

export function queryIn({ moment, request, answer, said }: View): Fact {
  return {
    ...moment,
    kind: "query",
    asked: Object.keys(isObject(request.device_keys) ? request.device_keys : {}),
    answer: listsOf(answer),
    said: listsOf(said),
  };
}

export function claimIn({ moment, request, answer, said }: View): Fact {
  const asked = entries(request.one_time_keys).flatMap(([user, devices]) =>
    entries(devices).map(([device]) => ({ user, device })),
  );
  return {
    ...moment,
    kind: "claim",
    asked,
    answer: claimedIn(answer),
    said: claimedIn(said),
    failures: entries(answer?.failures).map(([server]) => server),
  };
}

export function signaturesIn({ moment, request, got }: View): Fact {
  return { ...moment, kind: "signatures", sent: signedIn(request), got: got && signedIn(got) };
}

export function toDeviceIn({ moment, request, got, path }: View): Fact {
  const [type = "", txn = ""] = path.slice(-2);
  return {
    ...moment,
    kind: "to-device",
    type,
    txn,
    sent: addressedIn(type, request.messages),
    got: got && addressedIn(type, got.messages),
    parcels: entries(request.messages).flatMap(([, devices]) =>
      entries(devices).flatMap(([, content]) => parcelsOf("", content)),
    ),
  };
}

/** @param messages user -> device -> content */
export function addressedIn(type: string, messages: unknown): readonly Addressed[] {
  return entries(messages).flatMap(([user, devices]) =>
    entries(devices).map(([device, content]) => {
      const withheld = withheldIn(type, content);
      return {
        user,
        device,
        type,
        parcels: parcelsIn(content).map(({ id }) => id),
        ...(withheld === undefined ? {} : { withheld }),
      };
    }),
  );
}

function deviceOf(value: unknown): KnownDevice | undefined {
  if (!isObject(value)) return undefined;
  const [user, device] = [text(value.user_id), text(value.device_id)];
  if (user === undefined || device === undefined) return undefined;
  const keys = isObject(value.keys) ? value.keys : {};
  return {
    user,
    device,
    curve25519: text(keys[`curve25519:${device}`]),
    signatures: signaturesOf(value),
  };
}

export function signaturesOf(value: JsonObject): readonly string[] {
  return entries(value.signatures).flatMap(([signer, keys]) =>
    entries(keys).map(([key]) => `${signer}|${key}`),
  );
}

function listsOf(answer: JsonObject | undefined): DeviceLists | undefined {
  if (answer === undefined) return undefined;
  return {
    devices: entries(answer.device_keys).flatMap(([, devices]) =>
      entries(devices).flatMap(([, keys]) => deviceOf(keys) ?? []),
    ),
    selfSigning: new Map(
      entries(answer.self_signing_keys).flatMap(([user, key]) =>
        entries(isObject(key) ? key.keys : undefined)
          .slice(0, 1)
          .map(([id]) => [user, id] as const),
      ),
    ),
    failures: entries(answer.failures).map(([server]) => server),
  };
}

/** user -> device or key -> signed object, as `POST /keys/signatures/upload` has it. */
function signedIn(body: JsonObject): readonly KnownDevice[] {
  return entries(body).flatMap(([, objects]) =>
    entries(objects).flatMap(([, value]) => deviceOf(value) ?? []),
  );
}

function keysOf(value: unknown): readonly UploadedKey[] {
  return entries(value).flatMap(([id, key]) => {
    const publicHalf = typeof key === "string" ? key : isObject(key) ? text(key.key) : undefined;
    return publicHalf === undefined ? [] : [{ id, key: unpadded(publicHalf) }];
  });
}

function claimedIn(answer: JsonObject | undefined): readonly ClaimedKey[] | undefined {
  if (answer === undefined) return undefined;
  return entries(answer.one_time_keys).flatMap(([user, devices]) =>
    entries(devices).flatMap(([device, keys]) =>
      keysOf(keys).map((key) => ({ user, device, ...key })),
    ),
  );
}

export function sessionsIn(rooms: unknown): readonly { room: string; session: string }[] {
  return entries(rooms).flatMap(([room, value]) =>
    entries(isObject(value) ? value.sessions : undefined).map(([session]) => ({ room, session })),
  );
}

export const changedIn = (lists: unknown): readonly string[] =>
  texts(isObject(lists) ? lists.changed : undefined);
