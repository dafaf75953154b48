import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { answer } from "#harness/peer/answer";
import { refused } from "#harness/peer/lies";
import { meet, SEND } from "#harness/peer/meeting";
import type { Peer } from "#harness/peer/peer";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { signJson } from "#protocol/events/signatures";

const UPDATE = "m.device_list_update";
const KEYS_QUERY = "POST /_matrix/federation/v1/user/keys/query";
const DEVICES = "GET /_matrix/federation/v1/user/devices/{userId}";

/** A device as its server describes it, for both of the requests that ask for devices. */
function describe(peer: Peer, userId: string, deviceId: string) {
  const { key } = peer.keys;
  const unsigned = {
    user_id: userId,
    device_id: deviceId,
    algorithms: ["m.olm.v1.curve25519-aes-sha2"],
    keys: { [`ed25519:${deviceId}`]: "A".repeat(43), [`curve25519:${deviceId}`]: "B".repeat(43) },
  };
  return signJson(unsigned, userId, key.id, key.secret);
}

check(
  "FED.txn.device-list",
  "the server asks for the devices again when it lacks what an update follows",
  {
    mutant: claims(
      "applies the update to the list that it has",
      { from: "hs1", to: "peer-*", path: "/_matrix/federation/v1/user/**" },
      { devices: [], device_keys: {} },
    ),
  },
  async (world) => {
    const { alice, peer, mallory } = await meet(world);
    const keys = ["OLD", "NEW"].map((deviceId) => describe(peer, mallory, deviceId));
    const [, latest] = keys;
    peer.on(KEYS_QUERY, () =>
      answer({
        device_keys: { [mallory]: Object.fromEntries(keys.map((k) => [String(k.device_id), k])) },
      }),
    );
    peer.on(DEVICES, () =>
      answer({
        user_id: mallory,
        stream_id: 9,
        devices: keys.map((k) => ({ device_id: k.device_id, keys: k })),
      }),
    );
    const since = await alice.syncToken();

    const content = {
      user_id: mallory,
      device_id: "NEW",
      stream_id: 9,
      prev_id: [8],
      ...(latest === undefined ? {} : { keys: latest }),
    };
    ok(await peer.client(alice.server.serverName).send([], [{ edu_type: UPDATE, content }]));

    await peer.requests.wait("a request for the devices", ({ path: asked, text }) =>
      asked.startsWith("/_matrix/federation/v1/user/")
        ? text.includes(mallory) || decodeURIComponent(asked).includes(mallory)
        : false,
    );
    await alice.syncUntil(since, "the change of the devices", (body) =>
      (at(body, "device_lists", "changed") as unknown[] | undefined)?.find((id) => id === mallory),
    );
    await world.eventually(async () => {
      const query = { device_keys: { [mallory]: [] } };
      const body = ok(await alice.post("/_matrix/client/v3/keys/query", query));
      const found = Object.keys((at(body, "device_keys", mallory) ?? {}) as object);
      expectEqual(found.sort(), ["NEW", "OLD"], "the devices");
    });
  },
);

/** Waits until the peer has had an update of a device that fits. */
function updateOf(peer: Peer, user: Session, deviceId: string, isDeleted: boolean) {
  return peer.waitForEdu(
    UPDATE,
    ({ content }) =>
      content.user_id === user.userId &&
      content.device_id === deviceId &&
      (content.deleted === true) === isDeleted,
  );
}

const LOSES_UPDATES = (contains: string) =>
  claims(
    `loses updates with ${contains}`,
    { from: "hs1", to: "peer-*", path: SEND, contains },
    { pdus: {} },
  );

check(
  "FED.txn.device-list-sent",
  "the server sends each new, renamed and deleted device",
  { mutant: [LOSES_UPDATES('"device_id"'), LOSES_UPDATES('"deleted":true')] },
  async (world) => {
    const { alice, peer } = await meet(world);

    const second = await world.login(alice);
    const added = await updateOf(peer, alice, second.deviceId, false);
    const before = peer.edus.items.length;
    const target = path`/_matrix/client/v3/devices/${second.deviceId}`;
    ok(await alice.put(target, { display_name: "renamed" }));
    const renamed = await peer.waitForEdu(
      UPDATE,
      (edu) => peer.edus.items.indexOf(edu) >= before && edu.content.device_id === second.deviceId,
    );
    ok(await second.post("/_matrix/client/v3/logout"));
    const deleted = await updateOf(peer, alice, second.deviceId, true);

    const ids = [added, renamed, deleted].map(({ content }) => content.stream_id);
    expectThat(
      ids.every((id) => Number.isInteger(id)),
      "an integer stream_id in each",
      ids,
    );
    expectEqual(new Set(ids).size, 3, "the number of different stream ids");
  },
);

check(
  "FED.txn.device-list-sent",
  "the server tells of the devices to a server that it meets later",
  { mutant: LOSES_UPDATES('"edu_type"') },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const room = peer.createRoom({ creator: peer.user("founder") });
    peer.serve(room);

    ok(
      await alice.post(
        path`/_matrix/client/v3/join/${room.roomId}`,
        {},
        { server_name: peer.serverName, via: peer.serverName },
      ),
    );

    await updateOf(peer, alice, alice.deviceId, false);
  },
);

check(
  "FED.txn.device-list-sent",
  "the server makes good for changes that it could not send",
  { mutant: LOSES_UPDATES('"device_id"') },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const cut = peer.on("PUT /_matrix/federation/v1/send/{txnId}", refused(502, "M_UNKNOWN"));

    const second = await world.login(alice);
    const third = await world.login(alice);
    ok(await second.post("/_matrix/client/v3/logout"));
    await peer.waitForRequest("PUT /_matrix/federation/v1/send/{txnId}");
    cut[Symbol.dispose]();
    // Tells a server that waits before it tries again that the peer is back.
    await peer.send(room, { type: "m.room.message", sender: mallory, content: { body: "back" } });

    await updateOf(peer, alice, third.deviceId, false);
    await updateOf(peer, alice, second.deviceId, true);
  },
);
