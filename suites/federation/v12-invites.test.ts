import { path } from "#harness/http/client";
import { at, isObject, type JsonObject, listAt } from "#harness/match/json";
import { versionOf } from "#harness/peer/found";
import { strippedState } from "#harness/peer/hosting";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import { type Session, timeline } from "#harness/world/session";
import type { JsonObject as Event } from "#protocol/events/event";
import { eventId, hasValidHash } from "#protocol/events/hashes";
import { listed, member } from "./rejection.ts";

const CREATE = "m.room.create";
const SYNC = "/_matrix/client/v3/sync";
const INVITE = "/_matrix/federation/v2/invite/**";
const STRIPPED_KEYS = ["content", "sender", "state_key", "type"];

check(
  "FED.v12.invite-create-pdu",
  "the server sends invites with the create event and other state as whole events",
  {
    mutant: [
      altersRequest(
        "leaves the create event out",
        { to: "peer-*", path: INVITE },
        { set: { "/invite_room_state": [] } },
      ),
      altersRequest(
        "sends stripped events",
        { to: "peer-*", path: INVITE },
        { remove: ["/invite_room_state/*/signatures"] },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "6", "10", "11", "12")) {
      const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
      peer.acceptInvites();
      const guest = peer.user("guest");
      const roomId = await alice.createRoom({
        preset: "private_chat",
        room_version: version,
        name: "By invitation",
      });

      const target = path`/_matrix/client/v3/rooms/${roomId}/invite`;
      const response = await alice.post(target, { user_id: guest });

      ok(response);
      const body = peer.invites.items.find((invite) => invite.roomId === roomId)?.body;
      const state = listAt(body, "invite_room_state").filter(isObject) as readonly Event[];
      const creates = state.filter(({ type, state_key }) => type === CREATE && state_key === "");
      expectEqual(creates.length, 1, `the number of create events in version ${version}`);
      for (const event of state) {
        const isCreate12 = version === "12" && event.type === CREATE;
        const isOfRoom = isCreate12 ? !("room_id" in event) : event.room_id === roomId;
        const isWhole = [
          isObject(event.hashes),
          isObject(event.signatures),
          Array.isArray(event.auth_events),
          Array.isArray(event.prev_events),
        ];
        expectThat(isWhole.every(Boolean) && isOfRoom, "a whole event of the room", event);
        expectThat(hasValidHash(event), "an event with its right hash", event);
      }
      if (version !== "12") continue;
      const ids = creates.map((event) => eventId(event, versionOf(version)));
      expectEqual(ids, [roomId.replace("!", "$")], "the id of the create event");
    }
  },
);

check(
  "FED.v12.invite-create-missing",
  "the server refuses an invite to a room of version 12 without its create event",
  {
    mutant: [
      altersAnswer(
        "signs every invite",
        { from: "peer-*", path: INVITE },
        { status: 200, body: { event: {} } },
      ),
      altersAnswer(
        "refuses every invite",
        { from: "peer-*", path: INVITE },
        { status: 400, body: { errcode: "M_INVALID_PARAM", error: "" } },
      ),
    ],
  },
  async (world) => {
    world.needs("room-version:12");
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const founding = { creator: peer.user("mallory"), version: "12", joinRule: "invite" };
    const [room, other] = [peer.createRoom(founding), peer.createRoom(founding)];
    const right = strippedState(room);
    const others = right.filter(({ type }) => type !== CREATE);
    const stripped = right.map(({ type, sender, state_key = "", content = {} }) => {
      return { type: type ?? "", sender: sender ?? "", state_key, content };
    });
    const invite = (invite_room_state: readonly Event[]) => {
      const pdu = room.build(member(founding.creator, alice.userId, "invite"));
      const client = peer.client(alice.server.serverName);
      return client.invite(room.roomId, pdu.id, {
        event: pdu.json,
        room_version: "12",
        invite_room_state,
      });
    };

    const responses = [
      await invite([]),
      await invite(others),
      await invite(stripped),
      await invite([...others, ...strippedState(other)]),
    ];
    const taken = await invite(right);

    ok(taken);
    for (const response of responses) {
      expectMatrixError(response, 400, ["M_INVALID_PARAM", "M_MISSING_PARAM"]);
    }
  },
);

check(
  "FED.v12.stripped-create-client",
  "the server shows the create event in the stripped state of invites and knocks, and no PDUs",
  {
    mutant: ["invite", "knock"].flatMap((section) => [
      altersAnswer(
        `leaves the create event out of a ${section}`,
        { path: SYNC },
        { set: { [`/rooms/${section}/*/${section}_state/events/*/type`]: "m.room.name" } },
      ),
      altersAnswer(
        `passes PDUs on in a ${section}`,
        { path: SYNC },
        { set: { [`/rooms/${section}/*/${section}_state/events/0/hashes`]: {} } },
      ),
    ]),
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      for (const role of ["hs1", "hs2"]) {
        const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", role)]);
        const creation = { room_version: version, name: "By invitation" };
        const invited = await alice.createRoom({ preset: "private_chat", ...creation });
        const initial_state = [{ type: "m.room.join_rules", content: { join_rule: "knock" } }];
        const knocked = await alice.createRoom({ initial_state, ...creation });
        const since = await alice.syncToken();

        await alice.invite(invited, bob);
        const via = { server_name: alice.server.serverName, via: alice.server.serverName };
        ok(await bob.post(path`/_matrix/client/v3/knock/${knocked}`, {}, via));
        const shown = [
          await strippedOf(bob, "invite", invited),
          await strippedOf(bob, "knock", knocked),
          ...(await ownStripped(alice, since, [invited, knocked], bob.userId)),
        ];

        for (const events of shown) {
          for (const event of events) {
            const keys = Object.keys(event).toSorted();
            expectEqual(keys, STRIPPED_KEYS, `the keys of a stripped event of version ${version}`);
          }
          const types = events.map(({ type }) => type);
          expectThat(types.includes(CREATE), `${CREATE} in the stripped state`, types);
        }
      }
    }
  },
);

/** Stripped state of a room to which the user is invited, or at which he has knocked. */
async function strippedOf(user: Session, section: "invite" | "knock", roomId: string) {
  const { found } = await user.syncUntil(undefined, `${section} of ${roomId}`, (body) => {
    const events = at(body, "rooms", section, roomId, `${section}_state`, "events");
    return Array.isArray(events) ? events.filter(isObject) : undefined;
  });
  return found;
}

/** What the member events of the user in these rooms, as another user gets them, tell of stripped state. */
async function ownStripped(
  watcher: Session,
  since: string,
  roomIds: readonly string[],
  userId: string,
): Promise<readonly (readonly JsonObject[])[]> {
  const seen = new Map<string, JsonObject>();
  await watcher.syncUntil(since, `member events of ${userId}`, (body) => {
    for (const roomId of roomIds) {
      const event = timeline(body, roomId).find(({ state_key }) => state_key === userId);
      if (event !== undefined) seen.set(roomId, event.unsigned ?? {});
    }
    return seen.size === roomIds.length ? seen : undefined;
  });
  return [...seen.values()].flatMap((unsigned) =>
    ["invite_room_state", "knock_room_state"].flatMap((key) =>
      Object.hasOwn(unsigned, key) ? [listAt(unsigned, key).filter(isObject)] : [],
    ),
  );
}
