import { type HttpResponse, path } from "#harness/http/client";
import { at, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import type { ServerClient } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { unknownRoom } from "./rooms.ts";

const SUMMARY = "/_matrix/client/v1/room_summary/*";

function summary(session: ServerClient, roomIdOrAlias: string) {
  return session.get(path`/_matrix/client/v1/room_summary/${roomIdOrAlias}`);
}

/** The summary as soon as it has these parts: servers may gather names, rules and numbers of members in the background. */
function untilSummary(
  world: World,
  session: ServerClient,
  roomIdOrAlias: string,
  expected: JsonObject,
): Promise<HttpResponse> {
  return world.eventually(async () => {
    const response = await summary(session, roomIdOrAlias);
    expectContains(ok(response), expected, "the summary", response);
    return response;
  });
}

check(
  "CS.summary.get",
  "the server sums up a public room for members and others, by id and by alias",
  {
    mutant: [
      ...["num_joined_members", "world_readable", "guest_can_join", "room_version"].map((key) =>
        altersAnswer(`leaves out ${key}`, { path: SUMMARY }, { remove: [`/${key}`] }),
      ),
      altersAnswer("mistakes the rule", { path: SUMMARY }, { set: { "/join_rule": "invite" } }),
      altersAnswer("leaves out the membership", { path: SUMMARY }, { remove: ["/membership"] }),
      altersAnswer(
        "takes everybody for a member",
        { path: SUMMARY },
        { set: { "/membership": "join" } },
      ),
      altersAnswer(
        "names allowed rooms",
        { path: SUMMARY },
        { set: { "/allowed_room_ids": ["!other:hs1"] } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const localpart = world.name("room");
    const roomId = await alice.createRoom({
      preset: "public_chat",
      name: "Public room",
      room_alias_name: localpart,
    });
    await bob.join(roomId);
    const version = (await alice.state(roomId, "m.room.create"))?.room_version;

    const expected = {
      room_id: roomId,
      name: "Public room",
      num_joined_members: 2,
      world_readable: false,
      guest_can_join: false,
      join_rule: "public",
      room_version: version,
    };
    const alias = `#${localpart}:${alice.server.serverName}`;

    const byMember = await untilSummary(world, bob, roomId, expected);
    const byStranger = await untilSummary(world, charlie, alias, expected);

    for (const response of [byMember, byStranger]) {
      const allowed = at(response.json, "allowed_room_ids") ?? [];
      expectEqual(allowed, [], "allowed_room_ids", response);
    }
    expectEqual(at(byMember.json, "membership"), "join", "the member's membership", byMember);
    const membership = at(byStranger.json, "membership") ?? "leave";
    expectEqual(membership, "leave", "the stranger's membership", byStranger);
  },
);

check(
  "CS.summary.get",
  "the server tells a world-readable room that is open to guests",
  {
    mutant: [
      altersAnswer("denies peeking", { path: SUMMARY }, { set: { "/world_readable": false } }),
      altersAnswer("denies guests", { path: SUMMARY }, { set: { "/guest_can_join": false } }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({
      preset: "private_chat",
      initial_state: [
        {
          type: "m.room.history_visibility",
          state_key: "",
          content: { history_visibility: "world_readable" },
        },
        { type: "m.room.guest_access", state_key: "", content: { guest_access: "can_join" } },
      ],
    });

    await untilSummary(world, bob, roomId, {
      room_id: roomId,
      num_joined_members: 1,
      world_readable: true,
      guest_can_join: true,
      join_rule: "invite",
    });
  },
);

check(
  "CS.summary.get",
  "the server names the allowed rooms of a restricted room to members and the eligible",
  {
    mutant: [
      altersAnswer("names none", { path: SUMMARY }, { remove: ["/allowed_room_ids"] }),
      altersRequest(
        "hides it from the eligible",
        { path: "/_matrix/client/v3/createRoom", contains: '"restricted"' },
        { replace: [['"restricted"', '"invite"']] },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const club = await alice.createRoom({ preset: "public_chat" });
    await bob.join(club);
    const allow = [{ type: "m.room_membership", room_id: club }];
    const roomId = await alice.createRoom({
      preset: "private_chat",
      initial_state: [
        { type: "m.room.join_rules", state_key: "", content: { join_rule: "restricted", allow } },
      ],
    });

    const expected = { room_id: roomId, join_rule: "restricted", allowed_room_ids: [club] };
    await untilSummary(world, alice, roomId, expected);
    await untilSummary(world, bob, roomId, expected);
  },
);

check(
  "CS.summary.hidden",
  "the server answers 404 for a room that one may not preview",
  {
    mutant: [
      altersAnswer(
        "confirms the room",
        { path: SUMMARY, status: 404 },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "not for you" } },
      ),
      altersRequest(
        "shows private rooms",
        { path: "/_matrix/client/v3/createRoom" },
        { set: { "/preset": "public_chat" } },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const name = world.name("secret");
    const roomId = await alice.createRoom({ preset: "private_chat", name });

    // Only what the server already sums up could get out.
    await untilSummary(world, alice, roomId, { name });
    const byOutsider = await summary(mallory, roomId);
    const withoutToken = await summary(world.anonymous(), roomId);

    expectMatrixError(byOutsider, 404, "M_NOT_FOUND");
    expectMatrixError(withoutToken, [401, 404], ["M_MISSING_TOKEN", "M_NOT_FOUND"]);
    for (const response of [byOutsider, withoutToken])
      expectThat(!response.text.includes(name), "nothing of the room", response.text, response);
  },
);

check(
  "CS.summary.hidden",
  "the server answers 404 for a room that does not exist",
  {
    mutant: [
      altersAnswer("fails", { path: SUMMARY }, { status: 500 }),
      altersAnswer(
        "makes one up",
        { path: SUMMARY },
        { status: 200, body: { room_id: "!x:hs1", num_joined_members: 0 } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const byId = await summary(alice, unknownRoom(world));
    const byAlias = await summary(alice, `#${world.name("unknown")}:${alice.server.serverName}`);

    for (const response of [byId, byAlias]) {
      expectMatrixError(response, [404, 400]);
      if (response.status === 400) world.note("an unknown room answers 400, not 404");
    }
  },
);
