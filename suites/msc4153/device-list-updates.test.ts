/** What a server tells other servers of its users' devices: a peer hears it. */

import { keyPair, makeIdentity, publishDevice, publishIdentity } from "#harness/clients/identities";
import { path } from "#harness/http/client";
import { at, isObject, listAt, numberAt } from "#harness/match/json";
import { enter, meet, SEND } from "#harness/peer/meeting";
import type { Peer } from "#harness/peer/peer";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import type { JsonObject } from "#protocol/events/event";
import { SIGNATURES_UPLOAD, SIGNING_UPLOAD } from "./cross-signing.ts";

const UPDATE = "m.device_list_update";
const SIGNING_UPDATE = "m.signing_key_update";
const DEVICES = { from: "peer-*", path: "/_matrix/federation/v1/user/devices/*" };

/** The self-signing key of a user, by which mutants know what it has signed. */
const SIGNER = keyPair("self-signing key of a check");

/** A server that forgets to tell the peer what contains the text. */
const forgets = (what: string, contains: string) =>
  claims(
    `forgets to tell of ${what}`,
    { from: "hs1", to: "peer-*", path: SEND, contains },
    { pdus: {} },
  );

/** Whether a text is anywhere in it. */
function tells(value: unknown, text: string): boolean {
  return JSON.stringify(value ?? null).includes(text);
}

/** Waits until the peer has had an update of a device that fits; returns its content. */
async function update(
  peer: Peer,
  { userId, deviceId }: Session,
  fits: (content: JsonObject) => boolean,
): Promise<JsonObject> {
  const { content } = await peer.waitForEdu(
    UPDATE,
    (edu) =>
      edu.content.user_id === userId && edu.content.device_id === deviceId && fits(edu.content),
  );
  return content;
}

/** A server that has met the peer, after its user has got an identity. */
async function meetSigned(world: World) {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const identity = makeIdentity(alice, { self_signing: SIGNER });
  ok(await alice.post(SIGNING_UPLOAD, identity.body));
  const roomId = await alice.createRoom({ preset: "public_chat" });
  await peer.join(roomId, peer.user("mallory"), { via: alice.server.serverName });
  return { alice, peer, identity };
}

function updatesOf(peer: Peer, { userId }: Session): readonly JsonObject[] {
  return peer.edus.items
    .filter((edu) => edu.edu_type === UPDATE && edu.content.user_id === userId)
    .map(({ content }) => content);
}

check(
  "E2EE.devlist.fed-update-edu",
  "the server sends each new, renamed, signed and deleted device, in an order that can be told",
  {
    mutant: [
      forgets("new keys", '"algorithms"'),
      forgets("signatures", SIGNER.publicKey),
      forgets("deleted devices", '"deleted":true'),
    ],
  },
  async (world) => {
    const { alice, peer, identity } = await meetSigned(world);

    const second = await world.login(alice);
    const device = await publishDevice(second);
    await update(peer, second, (content) => isObject(content.keys));
    const before = new Set(updatesOf(peer, alice));
    const target = path`/_matrix/client/v3/devices/${second.deviceId}`;
    ok(await second.put(target, { display_name: "renamed" }));
    await update(peer, second, (content) => !before.has(content));
    const signed = { [second.deviceId]: identity.sign(device.keys, "self_signing") };
    ok(await second.post(SIGNATURES_UPLOAD, { [alice.userId]: signed }));
    const signature = ["signatures", alice.userId, `ed25519:${SIGNER.publicKey}`] as const;
    await update(peer, second, ({ keys }) => at(keys, ...signature) !== undefined);
    ok(await second.post("/_matrix/client/v3/logout"));
    const gone = await update(peer, second, (content) => content.deleted === true);

    expectEqual(gone.keys, undefined, "the keys of a deleted device");
    expectChain(updatesOf(peer, alice));
  },
);

check(
  "E2EE.devlist.fed-update-edu",
  "the server names updates alone as those before an update when a user has got an identity between them",
  { mutant: forgets("new keys", '"algorithms"') },
  async (world) => {
    const { alice, peer } = await meet(world);

    await publishDevice(alice);
    await update(peer, alice, (content) => isObject(content.keys));
    const { publicKeys } = await publishIdentity(alice);
    await peer.waitForEdu(SIGNING_UPDATE, (edu) => tells(edu.content, publicKeys.self_signing));
    const second = await world.login(alice);
    await publishDevice(second);
    await update(peer, second, (content) => isObject(content.keys));

    expectChain(updatesOf(peer, alice));
  },
);

/** Each update has a stream id of its own, and names those before it that no other one has named. */
function expectChain(updates: readonly JsonObject[]): void {
  const known = new Set<number>();
  let unnamed = new Set<number>();
  for (const [index, update] of updates.entries()) {
    const id = numberAt(update, "stream_id");
    expectThat(Number.isInteger(id), "an integer stream_id", id);
    expectThat(!known.has(id), "a stream_id of its own for each update", id);
    const earlier = update.prev_id ?? [];
    if (index > 0)
      expectEqual(
        new Set(Array.isArray(earlier) ? earlier : [earlier]),
        unnamed,
        `prev_id of the update ${id}`,
      );
    known.add(id);
    unnamed = new Set([id]);
  }
}

check(
  "E2EE.query.non-crypto-device",
  "the server sends a device that has no keys without keys",
  { mutant: forgets("devices", '"device_id"') },
  async (world) => {
    const { alice, peer } = await meet(world);

    const keyless = await world.login(alice);
    const { keys } = await update(peer, keyless, () => true);

    expectEqual(keys, undefined, "the keys of the device");
  },
);

check(
  "E2EE.devlist.fed-join-edu",
  "the server tells of a user's devices to a server whose room the user joins",
  { mutant: forgets("devices", '"edu_type"') },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    await publishDevice(alice);
    const room = peer.createRoom({ creator: peer.user("founder") });
    peer.serve(room);

    await enter(alice, peer, room.roomId);

    await update(peer, alice, () => true);
  },
);

check(
  "E2EE.devlist.fed-user-devices",
  "the server describes the devices of a user, and where later updates begin",
  {
    mutant: [
      altersAnswer("leaves a device out", DEVICES, { remove: ["/devices/0"] }),
      altersAnswer("describes a device without its keys", DEVICES, { remove: ["/devices/*/keys"] }),
      altersAnswer("names another user", DEVICES, { set: { "/user_id": "@other:hs1" } }),
      altersAnswer("is ahead of its updates", DEVICES, { set: { "/stream_id": 1_000_000 } }),
      altersAnswer("tells the user-signing key", DEVICES, { set: { "/user_signing_key": {} } }),
    ],
  },
  async (world) => {
    const { alice, peer } = await meet(world);
    const { keys } = await publishDevice(alice);
    const { body } = await publishIdentity(alice);
    await peer.waitForEdu(SIGNING_UPDATE, ({ content }) => content.user_id === alice.userId);

    const response = await peer.client().userDevices(alice.userId);
    const second = await world.login(alice);
    await publishDevice(second);
    const next = await update(peer, second, () => true);

    const described = ok(response);
    expectEqual(described.user_id, alice.userId, "the user", response);
    const devices = listAt(described, "devices");
    const ids = devices.map((device) => at(device, "device_id"));
    expectEqual(ids, [alice.deviceId], "the devices", response);
    expectEqual(at(devices[0], "keys", "keys"), keys.keys, "the keys of the device", response);
    expectEqual(described.user_signing_key, undefined, "the user-signing key", response);
    for (const kind of ["master_key", "self_signing_key"] as const) {
      if (described[kind] === undefined) world.note(`${kind} is not told`);
      else expectEqual(at(described, kind, "keys"), at(body, kind, "keys"), kind, response);
    }
    const streamId = numberAt(described, "stream_id");
    const earlier = Array.isArray(next.prev_id) ? next.prev_id : [];
    const isBefore = numberAt(next, "stream_id") > streamId;
    const fits = isBefore && earlier.every((id) => Number(id) <= streamId);
    expectThat(fits, `an update that follows stream id ${streamId}`, next, response);
  },
);

check(
  "E2EE.devlist.fed-signing-update",
  "the server sends the keys of a new identity to other servers, but for the user-signing key",
  { mutant: forgets("identities", SIGNING_UPDATE) },
  async (world) => {
    const { alice, peer } = await meet(world);
    await publishDevice(alice);

    const { body, publicKeys } = await publishIdentity(alice);
    const part = async (usage: "master" | "self_signing") => {
      const edu = await peer.waitForEdu(
        SIGNING_UPDATE,
        ({ content }) =>
          content.user_id === alice.userId && tells(content[`${usage}_key`], publicKeys[usage]),
      );
      const kind = `${usage}_key` as const;
      expectEqual(at(edu.content, kind, "keys"), at(body, kind, "keys"), kind);
    };
    await part("master");
    await part("self_signing");

    const isSecret = !tells(peer.edus.items, publicKeys.user_signing);
    expectThat(isSecret, "no user-signing key in any EDU", publicKeys.user_signing);
  },
);
