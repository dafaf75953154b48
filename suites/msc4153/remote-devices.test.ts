/** What a server makes of the news of users' devices that other servers send it. */
import { publishDevice, publishIdentity } from "#harness/clients/identities";
import { at, isObject, objectAt } from "#harness/match/json";
import { answer } from "#harness/peer/answer";
import { refused } from "#harness/peer/lies";
import { type Meeting, meet } from "#harness/peer/meeting";
import type { Peer } from "#harness/peer/peer";
import { check } from "#harness/world/check";
import { ENCRYPTED } from "#harness/world/encrypted-room";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { JsonObject } from "#protocol/events/event";
import { signJson } from "#protocol/events/signatures";
import { KEYS_QUERY, publicKeysIn, query } from "./cross-signing.ts";
import { TELLS_NO_CHANGE, untilChanged } from "./device-lists.ts";

const QUERY = { method: "POST", path: KEYS_QUERY };
const UPDATE = "m.device_list_update";
const QUERY_ROUTE = "POST /_matrix/federation/v1/user/keys/query";
const DEVICES_ROUTE = "GET /_matrix/federation/v1/user/devices/{userId}";

/** A device of the peer's user, as its server describes it. */
function describe(peer: Peer, userId: string, deviceId: string): JsonObject {
  const { key } = peer.keys;
  const unsigned = {
    user_id: userId,
    device_id: deviceId,
    algorithms: ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
    keys: { [`ed25519:${deviceId}`]: "A".repeat(43), [`curve25519:${deviceId}`]: "B".repeat(43) },
  };
  return signJson(unsigned, userId, key.id, key.secret);
}

/** The peer tells of these devices to whoever asks. */
function serve(peer: Peer, userId: string, streamId: number, ...deviceIds: readonly string[]) {
  const devices = deviceIds.map((deviceId) => describe(peer, userId, deviceId));
  const byId = Object.fromEntries(devices.map((keys) => [String(keys.device_id), keys]));
  return [
    peer.on(QUERY_ROUTE, () => answer({ device_keys: { [userId]: byId } })),
    peer.on(DEVICES_ROUTE, () =>
      answer({
        user_id: userId,
        stream_id: streamId,
        devices: devices.map((keys) => ({ device_id: keys.device_id, keys })),
      }),
    ),
  ];
}

async function sendUpdate(
  { alice, peer, mallory }: Meeting,
  deviceId: string,
  more: JsonObject,
): Promise<void> {
  const keys = describe(peer, mallory, deviceId);
  const content = { user_id: mallory, device_id: deviceId, keys, ...more };
  ok(await peer.client(alice.server.serverName).send([], [{ edu_type: UPDATE, content }]));
}

/** Ids of the devices that a user of the server is shown. */
async function devicesOf(watcher: Session, userId: string): Promise<readonly string[]> {
  const devices = at(ok(await query(watcher, { userId })), "device_keys", userId);
  return Object.keys(isObject(devices) ? devices : {}).sort();
}

check(
  "E2EE.devlist.fed-prev-gap",
  "the server asks for all devices again when it lacks what an update follows",
  {
    mutant: [
      TELLS_NO_CHANGE,
      altersAnswer("has what the update brought alone", QUERY, {
        remove: ["/device_keys/*/OLD"],
      }),
    ],
  },
  async (world) => {
    const meeting = await meet(world, { creation: { initial_state: ENCRYPTED.initial_state } });
    const { alice, peer, mallory } = meeting;
    const since = await alice.syncToken();
    serve(peer, mallory, 9, "OLD", "NEW");

    await sendUpdate(meeting, "NEW", { stream_id: 9, prev_id: [8] });

    await peer.requests.wait(
      "a request for the devices",
      ({ path, text }) =>
        path.startsWith("/_matrix/federation/v1/user/") &&
        (text.includes(mallory) || decodeURIComponent(path).includes(mallory)),
    );
    await untilChanged(alice, since, { userId: mallory });
    await world.eventually(async () =>
      expectEqual(await devicesOf(alice, mallory), ["NEW", "OLD"], "the devices"),
    );
  },
);

check(
  "E2EE.devlist.fed-prev-gap",
  "the server tells its users of devices that it asked for again, also when there are none any more",
  {
    mutant: [
      TELLS_NO_CHANGE,
      altersAnswer("keeps the last device", QUERY, {
        set: { "/device_keys/*/OLD": { keys: {} } },
      }),
    ],
  },
  async (world) => {
    const meeting = await meet(world, { creation: { initial_state: ENCRYPTED.initial_state } });
    const { alice, peer, mallory } = meeting;
    const before = serve(peer, mallory, 7, "OLD");
    await world.eventually(async () =>
      expectEqual(await devicesOf(alice, mallory), ["OLD"], "the devices before"),
    );
    for (const handle of before) handle[Symbol.dispose]();
    serve(peer, mallory, 9);
    const since = await alice.syncToken();

    const content = {
      user_id: mallory,
      device_id: "OLD",
      deleted: true,
      stream_id: 9,
      prev_id: [8],
    };
    ok(await peer.client(alice.server.serverName).send([], [{ edu_type: UPDATE, content }]));

    await world.eventually(async () =>
      expectEqual(await devicesOf(alice, mallory), [], "the devices"),
    );
    await untilChanged(alice, since, { userId: mallory });
  },
);

check(
  "E2EE.devlist.fed-spoof",
  "the server ignores news of users that are not of the server which sends them",
  {
    mutant: [
      altersAnswer("believes in a device", QUERY, {
        set: { "/device_keys/*/FORGED": { keys: {} } },
      }),
      altersAnswer("believes in an identity", QUERY, {
        set: { "/master_keys/*/keys": { "ed25519:F": "F" } },
      }),
    ],
  },
  async (world) => {
    const meeting = await meet(world, { creation: { initial_state: ENCRYPTED.initial_state } });
    const { alice, peer, room } = meeting;
    const third = await world.peer();
    const carol = third.user("carol");
    await third.join(room.roomId, carol, { via: alice.server.serverName });
    serve(third, carol, 3, "TRUE");
    const device = await publishDevice(alice);
    const { publicKeys } = await publishIdentity(alice);
    // From here on the server has a list of its own.
    ok(await query(alice, { userId: carol }));

    const edus = [alice.userId, carol].flatMap((userId) => {
      const keys = describe(peer, userId, "FORGED");
      const master = { user_id: userId, usage: ["master"], keys: { "ed25519:F": "F".repeat(43) } };
      const content = { user_id: userId, device_id: "FORGED", keys, stream_id: 4, prev_id: [3] };
      return [
        { edu_type: UPDATE, content },
        { edu_type: "m.signing_key_update", content: { user_id: userId, master_key: master } },
      ];
    });
    ok(await peer.client(alice.server.serverName).send([], edus));
    await peer.fence(room, alice);

    const response = await query(alice, alice, { userId: carol });
    const shown = [alice.userId, carol].map((userId) => {
      const devices = Object.entries(objectAt(ok(response), "device_keys", userId));
      const keys = devices.map(([deviceId, shownDevice]) => [deviceId, at(shownDevice, "keys")]);
      return { keys, master: publicKeysIn(response, userId).master };
    });
    const expected = [
      { keys: [[alice.deviceId, device.keys.keys]], master: publicKeys.master },
      { keys: [["TRUE", describe(third, carol, "TRUE").keys]], master: undefined },
    ];
    expectEqual(shown, expected, "the keys of both users", response);
  },
);

check(
  "E2EE.devlist.fed-resync-retry",
  "the server asks again for devices that it could not get, although it was restarted",
  {
    isolated: {},
    deadlineMs: 180_000,
    mutant: altersAnswer("has given up", QUERY, { remove: ["/device_keys/*/NEW"] }),
  },
  async (world) => {
    const meeting = await meet(world, { creation: { initial_state: ENCRYPTED.initial_state } });
    const { alice, peer, mallory } = meeting;
    const broken = [DEVICES_ROUTE, QUERY_ROUTE].map((route) =>
      peer.on(route, refused(500, "M_UNKNOWN")),
    );

    await sendUpdate(meeting, "NEW", { stream_id: 9, prev_id: [8] });
    await peer.requests.wait("a request for the devices", ({ path }) =>
      path.startsWith("/_matrix/federation/v1/user/"),
    );
    await world.killAndRestart();
    for (const handle of broken) handle[Symbol.dispose]();
    serve(peer, mallory, 9, "OLD", "NEW");

    await world.eventually(
      async () => expectEqual(await devicesOf(alice, mallory), ["NEW", "OLD"], "the devices"),
      { deadlineMs: 75_000 },
    );
  },
);

check(
  "E2EE.devlist.fed-unknown-device-trigger",
  "the server asks for the devices of a user when a message comes from one that it does not know",
  {
    mutant: claims(
      "does not look at the message",
      {
        from: "peer-*",
        path: "/_matrix/federation/v1/send/*",
        contains: "m.room_key_request",
      },
      { pdus: {} },
    ),
  },
  async (world) => {
    const meeting = await meet(world, { creation: { initial_state: ENCRYPTED.initial_state } });
    const { alice, peer, mallory } = meeting;
    serve(peer, mallory, 5, "OLD");
    await devicesOf(alice, mallory);
    const asked = peer.requests.items.length;

    const message = {
      action: "request",
      request_id: world.name("request"),
      requesting_device_id: "NEW",
    };
    const content = {
      sender: mallory,
      type: "m.room_key_request",
      message_id: world.name("message"),
      messages: { [alice.userId]: { [alice.deviceId]: message } },
    };
    const edu = { edu_type: "m.direct_to_device", content };
    ok(await peer.client(alice.server.serverName).send([], [edu]));

    await peer.requests.wait(
      "a request for the devices after the message",
      (request) =>
        request.path.startsWith("/_matrix/federation/v1/user/") &&
        peer.requests.items.indexOf(request) >= asked,
    );
  },
);
