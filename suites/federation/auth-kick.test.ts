import { path } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectMatrixError, ok } from "#harness/world/expect";
import { meet } from "./meeting.ts";
import { ban, expectMembership, keeps, listed, member, offer, putLevels } from "./rejection.ts";

const MEMBER = "m.room.member";
const JOIN = { membership: "join" };
const INVITE = { membership: "invite" };
const LEAVE = { membership: "leave" };

check(
  "FED.auth.leave-self",
  "the server rejects a leave by a banned user and by one who was never a member",
  { mutant: keeps("lifts the ban", MEMBER, LEAVE) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { peer, room } = meeting;
      const [banned, stranger] = [peer.user("banned"), peer.user("stranger")];
      await ban(meeting, banned);

      await offer(
        meeting,
        room.build(member(banned, banned, "leave")),
        room.build(member(stranger, stranger, "leave")),
      );

      await expectMembership(meeting, banned, "ban");
      await expectMembership(meeting, stranger, undefined);
    }
  },
);

check(
  "FED.auth.kick-needs-higher",
  "the server rejects kicks and bans of users of the same level, and a ban by a user who has left",
  { mutant: keeps("lets equals remove each other", MEMBER, LEAVE) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const [kicked, banned, left] = ["kicked", "banned", "left"].map((name) => peer.user(name));
      const users = { [mallory]: 50, [String(kicked)]: 50, [String(banned)]: 50 };
      for (const user of [kicked, banned, left]) {
        await peer.join(room.roomId, String(user), { via: alice.server.serverName });
      }
      await putLevels(meeting, { users: { ...users, [String(left)]: 75 } });
      await peer.send(room, member(String(left), String(left), "leave"));

      await offer(
        meeting,
        room.build(member(mallory, String(kicked), "leave")),
        room.build(member(mallory, String(banned), "ban")),
        room.build(member(String(left), mallory, "ban")),
      );

      await expectMembership(meeting, String(kicked), "join");
      await expectMembership(meeting, String(banned), "join");
      await expectMembership(meeting, mallory, "join");
    }
  },
);

check(
  "FED.auth.kick-needs-higher",
  "the server takes a kick of a user of a lower level",
  { mutant: keeps("keeps the user", MEMBER, JOIN) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, room, mallory } = meeting;

      ok(
        await alice.post(path`/_matrix/client/v3/rooms/${room.roomId}/kick`, { user_id: mallory }),
      );

      await expectMembership(meeting, mallory, "leave");
    }
  },
);
