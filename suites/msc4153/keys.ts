/** One-time and fallback keys signed by hand-made devices: uploading and claiming them, and servers that get it wrong. */
import { type Device, makeDevice, oneTimeKeys } from "#harness/clients/identities";
import type { RuleMatch } from "#harness/gateway/rule";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import type { Mutant } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { ServerClient, Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import type { JsonObject } from "#protocol/events/event";
import { KEYS_UPLOAD } from "./cross-signing.ts";

export const ALGORITHM = "signed_curve25519";
export const KEYS_CLAIM = "/_matrix/client/v3/keys/claim";
export const SYNC = { method: "GET", path: "/_matrix/client/v3/sync" };
export const UPLOAD = { method: "POST", path: KEYS_UPLOAD };
export const CLAIM = { method: "POST", path: KEYS_CLAIM };
export const COUNT = `/device_one_time_keys_count/${ALGORITHM}`;
export const UNUSED = "/device_unused_fallback_key_types";

/** `A00`, `A01` and so on. */
export function names(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}${String(at).padStart(2, "0")}`);
}

/** Public part of the key of this name, which is the same for every device. */
export function material(name: string): string {
  return String(Object.values(oneTimeKeys([name]))[0]?.key);
}

/** Keys by id, signed by the device. */
export function signedKeys(
  device: Device,
  keyNames: readonly string[],
  more: JsonObject = {},
): Record<string, JsonObject> {
  const keys = Object.entries(oneTimeKeys(keyNames, more));
  return Object.fromEntries(keys.map(([id, key]) => [id, device.sign(key)]));
}

export function fallbackKeys(device: Device, name: string): Record<string, JsonObject> {
  return signedKeys(device, [name], { fallback: true });
}

export interface Owner extends Device {
  readonly session: Session;
}

/** Publishes identity keys of the session's device, and these one-time keys and this fallback key. */
export async function publishKeys(
  session: Session,
  keyNames: readonly string[] = [],
  fallback?: string,
): Promise<Owner> {
  const device = makeDevice(session);
  const body = {
    device_keys: device.keys,
    ...(keyNames.length === 0 ? {} : { one_time_keys: signedKeys(device, keyNames) }),
    ...(fallback === undefined ? {} : { fallback_keys: fallbackKeys(device, fallback) }),
  };
  ok(await session.post(KEYS_UPLOAD, body));
  return { ...device, session };
}

/** Two users, of whom the first publishes these keys. */
export async function owned(
  world: World,
  keyNames: readonly string[],
  fallback?: string,
): Promise<{ alice: Owner; bob: Session }> {
  const [alice, bob] = await world.users("alice", "bob");
  return { alice: await publishKeys(alice, keyNames, fallback), bob };
}

/** Adds one-time keys to those of a device. */
export async function addKeys(owner: Owner, keyNames: readonly string[]): Promise<void> {
  ok(await owner.session.post(KEYS_UPLOAD, { one_time_keys: signedKeys(owner, keyNames) }));
}

/** How many one-time keys the server says to have. */
export function countIn(response: HttpResponse): unknown {
  return at(ok(response), "one_time_key_counts", ALGORITHM) ?? 0;
}

export async function count(session: Session): Promise<unknown> {
  return countIn(await session.post(KEYS_UPLOAD, {}));
}

/** What a claim of one key of a device asks for. */
export function wanted({ userId, deviceId }: Session): JsonObject {
  return { [userId]: { [deviceId]: ALGORITHM } };
}

export function claim(claimer: ServerClient, owner: Owner, more: JsonObject = {}) {
  return claimer.post(KEYS_CLAIM, { one_time_keys: wanted(owner.session), ...more });
}

export interface Claimed {
  /** Without the algorithm. */
  readonly name: string;
  readonly key: JsonObject;
  readonly isFallback: boolean;
}

/** The key in the answer to a claim; undefined when there is none. */
export function claimed(response: HttpResponse, { session }: Owner): Claimed | undefined {
  const keys = at(ok(response), "one_time_keys", session.userId, session.deviceId);
  const entries = Object.entries(isObject(keys) ? keys : {});
  if (entries.length === 0) return undefined;
  expectEqual(entries.length, 1, "the number of keys in the answer to a claim", response);
  const [[id, key] = ["", {}]] = entries;
  expectThat(id.startsWith(`${ALGORITHM}:`), `a key of ${ALGORITHM}`, id, response);
  return {
    name: id.slice(ALGORITHM.length + 1),
    key: key as JsonObject,
    isFallback: at(key, "fallback") === true,
  };
}

/** Name of the key that a claim gives; undefined when it gives none. */
export async function claimName(claimer: ServerClient, owner: Owner): Promise<string | undefined> {
  return claimed(await claim(claimer, owner), owner)?.name;
}

const CLAIMS_AT_MOST = 100;

/** Claims until there is no one-time key any more; all of them in order. */
export async function claimAll(
  claimer: ServerClient,
  owner: Owner,
  more: JsonObject = {},
): Promise<readonly Claimed[]> {
  const all: Claimed[] = [];
  for (let round = 0; round < CLAIMS_AT_MOST; round++) {
    const next = claimed(await claim(claimer, owner, more), owner);
    if (next === undefined || next.isFallback) return all;
    all.push(next);
  }
  expectThat(false, `no one-time key after ${CLAIMS_AT_MOST} claims`, `${all.length} keys`);
  return all;
}

/** @throws CheckFailure when two of them have the same material. */
export function expectDifferent(keys: readonly (Claimed | undefined)[]): void {
  const all = keys.flatMap((key) => (key === undefined ? [] : String(key.key.key)));
  const seen = new Set<string>();
  const repeated = all.filter((one) => seen.size === seen.add(one).size);
  expectEqual(repeated, [], "keys that were given out twice");
}

/** Writes one key in the place of others, in an answer to a claim. */
export function inPlaceOf(
  others: readonly string[],
  name: string,
): readonly (readonly [string, string])[] {
  return others.flatMap((other): (readonly [string, string])[] => [
    [`${ALGORITHM}:${other}"`, `${ALGORITHM}:${name}"`],
    [material(other), material(name)],
  ]);
}

/** A server that gives out one key where it should give others. */
export function gives(
  mutant: string,
  name: string,
  others: readonly string[],
  match: RuleMatch = {},
): Mutant {
  return altersAnswer(mutant, { ...CLAIM, ...match }, { replace: inPlaceOf(others, name) });
}

/** A server that says something else in /sync. */
export const syncs = (
  name: string,
  rewrite: Parameters<typeof altersAnswer>[2],
  match: RuleMatch = {},
): Mutant => altersAnswer(name, { ...SYNC, ...match }, rewrite);

/** @throws CheckFailure when the answer to a claim has any key. */
export function expectNothingFor(response: HttpResponse): void {
  const users = at(ok(response), "one_time_keys");
  const devices = Object.values(isObject(users) ? users : {}).flatMap((of) =>
    Object.values(of ?? {}),
  );
  const ids = devices.flatMap((keys) => Object.keys(isObject(keys) ? keys : {}));
  expectEqual(ids, [], "the keys that are given out", response);
}
