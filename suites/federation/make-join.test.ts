import { at } from "#harness/match/json";
import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { MAKE_JOIN, refusesAs, refusesNothing } from "./handshake.ts";
import { ban, listed } from "./rejection.ts";

check(
  "FED.hs.make-join-version",
  "the server gives a template only to who knows the room's version",
  {
    mutant: [
      refusesNothing("gives a template of any version", MAKE_JOIN),
      refusesAs("leaves room_version out", MAKE_JOIN, 400, 400, "M_INCOMPATIBLE_ROOM_VERSION"),
    ],
  },
  async (world) => {
    for (const version of listed(world, "12", "10")) {
      const { peer, room } = await meet(world, { version });
      const user = peer.user("stranger");

      const responses = [
        await peer.client().makeJoin(room.roomId, user, ["1"]),
        await peer.client().makeJoin(room.roomId, user, []),
      ];
      const known = await peer.client().makeJoin(room.roomId, user, ["1", version]);

      for (const response of responses) {
        expectMatrixError(response, 400, "M_INCOMPATIBLE_ROOM_VERSION");
        expectEqual(at(response.json, "room_version"), version, "room_version", response);
      }
      expectEqual(at(ok(known), "room_version"), version, "that of the template", known);
    }
  },
);

check(
  "FED.hs.make-join-version",
  "the server takes version 1 for granted",
  { mutant: refusesAs("asks for it", MAKE_JOIN, 200, 400, "M_INCOMPATIBLE_ROOM_VERSION") },
  async (world) => {
    world.needs("room-version:1");
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const roomId = await alice.createRoom({ preset: "public_chat", room_version: "1" });
    const user = peer.user("mallory");

    const response = await peer.client().makeJoin(roomId, user, []);

    expectEqual(at(ok(response), "event", "state_key"), user, "the state key", response);
  },
);

check(
  "FED.hs.make-join-foreign-user",
  "the server gives no template for users of other servers than the one that asks",
  { mutant: refusesNothing("gives a template for anybody", MAKE_JOIN) },
  async (world) => {
    const { peer, room } = await meet(world);
    const bob = await world.user("bob");
    const foreigners = [bob.userId, "@charlie:other.example"];

    for (const user of foreigners) {
      const response = await peer.client().makeJoin(room.roomId, user);
      expectMatrixError(response, [400, 403]);
    }
    ok(await peer.client().makeJoin(room.roomId, peer.user("own")));
  },
);

check(
  "FED.hs.make-join-errors",
  "the server gives no template for a room that does not let the user in",
  {
    mutant: [
      refusesNothing("gives a template that nobody can use", MAKE_JOIN),
      refusesAs("fails", MAKE_JOIN, 403, 500, "M_UNKNOWN"),
    ],
  },
  async (world) => {
    const meeting = await meet(world);
    const { alice, peer, room } = meeting;
    const [banned, invited] = [peer.user("banned"), peer.user("invited")];
    await ban(meeting, banned);
    const closed = await alice.createRoom({ preset: "private_chat" });
    peer.acceptInvites();

    const uninvited = await peer.client().makeJoin(closed, invited);
    const forBanned = await peer.client().makeJoin(room.roomId, banned);
    ok(await alice.post(`/_matrix/client/v3/rooms/${closed}/invite`, { user_id: invited }));
    const afterInvite = await peer.client().makeJoin(closed, invited);

    // A server may hide that the room exists; not from one that is in it.
    expectMatrixError(uninvited, [403, 404], ["M_FORBIDDEN", "M_NOT_FOUND"]);
    expectMatrixError(forBanned, 403, "M_FORBIDDEN");
    expectEqual(at(ok(afterInvite), "event", "state_key"), invited, "the state key", afterInvite);
  },
);

check(
  "FED.hs.make-join-errors",
  "the server answers 404 about a room that it does not know",
  {
    mutant: [
      refusesNothing("makes a template up", MAKE_JOIN),
      refusesAs("forbids what is not there", MAKE_JOIN, 404, 403, "M_FORBIDDEN"),
    ],
  },
  async (world) => {
    const peer = await world.peer();
    const unknown = [`!unknown:${world.server().serverName}`, `!${"A".repeat(43)}`];

    for (const roomId of unknown) {
      const response = await peer.client().makeJoin(roomId, peer.user("mallory"));
      expectMatrixError(response, 404, "M_NOT_FOUND");
    }
  },
);
