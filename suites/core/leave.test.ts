import type { HttpResponse } from "#harness/http/client";
import { check, type Mutant } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import {
  BROKEN,
  change,
  DONE,
  expectBanned,
  expectForbiddenOrUnknown,
  JOIN,
  JOINED_ROOMS,
  joinBy,
  joinedRooms,
  MEMBER,
  membership,
  membersSentBy,
  REFUSED,
  untilIn,
  untilMember,
} from "./membership.ts";
import { part, ROOM, setLevels } from "./rooms.ts";
import { presentState, SYNC } from "./syncs.ts";

const LEAVE = `${ROOM}/leave`;
const KICK = `${ROOM}/kick`;
const BAN = `${ROOM}/ban`;
const UNBAN = `${ROOM}/unban`;
const FIRST = { "org.example.mark": "first" };
const SECOND = { "org.example.mark": "second" };
const REASON = "off topic";

const BANNED = { status: 200, body: { membership: "ban" } };

/** Servers that take what they should refuse, told apart by the reason in the request. */
function takes(action: string, reasons: readonly string[]): readonly Mutant[] {
  return reasons.map((reason) =>
    altersAnswer(
      `takes the ${action} of ${reason}`,
      { path: `${ROOM}/${action}`, contains: reason },
      DONE,
    ),
  );
}

/** Gives these users level 50, in addition to those who have one. */
async function promote(admin: Session, roomId: string, users: readonly Session[]): Promise<void> {
  const levels = await admin.state(roomId, "m.room.power_levels");
  const raised = Object.fromEntries(users.map(({ userId }) => [userId, 50]));
  await setLevels(admin, roomId, { users: { ...part(levels, "users"), ...raised } });
}

check(
  "CS.leave.flow",
  "the server shows others a leave once, and takes a second one without another event",
  {
    mutant: [
      claims("only claims the leave", { path: LEAVE, contains: "mark=first" }, {}),
      altersAnswer("refuses the leave", { path: LEAVE, contains: "mark=first" }, REFUSED),
      altersAnswer("breaks on the second leave", { path: LEAVE, contains: "mark=second" }, BROKEN),
      altersAnswer(
        "makes a further event",
        { path: `${ROOM}/messages` },
        { set: { "/chunk/*/type": "m.room.member" } },
      ),
      altersAnswer(
        "lists the room",
        { path: JOINED_ROOMS },
        { set: { "/joined_rooms": ["!left"] } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    await bob.send(roomId, "earlier than the leave");
    const since = await alice.syncToken();

    const first = await change(bob, roomId, "leave", {}, FIRST);
    const { found } = await untilMember(alice, since, roomId, bob, "leave");
    const second = await change(bob, roomId, "leave", {}, SECOND);

    expectEqual(ok(first), {}, "the answer", first);
    expectEqual(found.sender, bob.userId, "the sender of the leave");
    if (second.status !== 200) {
      expectMatrixError(second, 403);
      world.note("a second leave answers 403");
    }
    const sent = (await membersSentBy(bob, alice, roomId)).map(({ content }) => content.membership);
    expectEqual(sent.toSorted(), ["join", "leave"], "the memberships that bob has set");
    expectEqual(await joinedRooms(bob), [], "the joined rooms");
  },
);

check(
  "CS.leave.never-in",
  "the server refuses to leave a room that the user was never in",
  {
    mutant: [
      altersAnswer("takes the leave", { path: LEAVE }, DONE),
      altersAnswer(
        "makes a leave event",
        { path: MEMBER },
        { status: 200, body: { membership: "leave" } },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const rooms = [
      await alice.createRoom({ preset: "private_chat" }),
      await alice.createRoom({ preset: "public_chat" }),
    ];

    for (const roomId of rooms) {
      const response = await change(mallory, roomId, "leave");

      expectForbiddenOrUnknown(world, response, "leaving a foreign room");
      expectEqual(await membership(alice, roomId, mallory), undefined, "the membership");
    }
  },
);

check(
  "CS.kick.flow",
  "the server sets a kicked user to leave with the reason and lets them join again",
  {
    mutant: [
      claims("only claims the kick", { path: KICK }, {}),
      altersRequest("loses the reason", { path: KICK }, { remove: ["/reason"] }),
      altersAnswer(
        "bans the user",
        { path: SYNC },
        { replace: [['"membership":"leave"', '"membership":"ban"']] },
      ),
      altersAnswer("hides the kick from the user", { path: SYNC }, { remove: ["/rooms/leave"] }),
      altersAnswer("refuses the join", { path: JOIN, contains: "back" }, REFUSED),
      altersAnswer("keeps the user out", { path: MEMBER }, { set: { "/membership": "leave" } }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const [since, sinceOfBob] = await Promise.all([alice.syncToken(), bob.syncToken()]);

    const kick = await change(alice, roomId, "kick", { user_id: bob.userId, reason: REASON });
    const { found } = await untilMember(alice, since, roomId, bob, "leave");
    await untilIn(bob, sinceOfBob, "leave", roomId);
    const join = await joinBy(bob, roomId, { reason: "back" });

    expectEqual(ok(kick), {}, "the answer", kick);
    const expected = { sender: alice.userId, content: { reason: REASON } };
    expectContains(found, expected, "the member event");
    ok(join);
    expectEqual(await membership(alice, roomId, bob), "join", "bob's membership in the end");
  },
);

const KICKS = [
  "somebody unknown",
  "somebody who left",
  "a member by an outsider",
  "a member by a member",
  "an equal",
  "a superior",
] as const;

check(
  "CS.kick.forbidden",
  "the server refuses kicks of absent users, from outside and without a higher level",
  {
    mutant: [
      ...takes("kick", KICKS),
      altersAnswer(
        "makes the unknown user leave",
        { path: MEMBER, status: 404 },
        { status: 200, body: { membership: "leave" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie, dave] = await world.users("alice", "bob", "charlie", "dave");
    const [erin, frank, grace, mallory] = await world.users("erin", "frank", "grace", "mallory");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    for (const member of [bob, charlie, dave, frank, grace]) await member.join(roomId);
    await frank.leave(roomId);
    await promote(alice, roomId, [bob, charlie]);
    const before = await presentState(alice, roomId);
    const kick = (kicker: Session, target: Session, reason: (typeof KICKS)[number]) =>
      change(kicker, roomId, "kick", { user_id: target.userId, reason });

    const answers = [
      await kick(alice, erin, "somebody unknown"),
      await kick(alice, frank, "somebody who left"),
      await kick(mallory, dave, "a member by an outsider"),
      await kick(grace, dave, "a member by a member"),
      await kick(bob, charlie, "an equal"),
      await kick(bob, alice, "a superior"),
    ];

    for (const response of answers) expectMatrixError(response, 403, "M_FORBIDDEN");
    expectEqual(await membership(alice, roomId, erin), undefined, "the unknown user's membership");
    expectEqual(await presentState(alice, roomId), before, "the state of the room");
  },
);

check(
  "CS.ban.flow",
  "the server bans a member with the reason, and unbans to leave",
  {
    mutant: [
      claims("only claims the ban", { path: BAN }, {}),
      altersRequest("loses the reason", { path: BAN }, { remove: ["/reason"] }),
      claims("only claims the end of the ban", { path: UNBAN }, {}),
      altersAnswer(
        "restores the join",
        { path: SYNC },
        { replace: [['"membership":"leave"', '"membership":"join"']] },
      ),
      altersAnswer("refuses the join", { path: JOIN, contains: "back" }, REFUSED),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const since = await alice.syncToken();

    const ban = await change(alice, roomId, "ban", { user_id: bob.userId, reason: REASON });
    const banned = await untilMember(alice, since, roomId, bob, "ban");
    const unban = await change(alice, roomId, "unban", { user_id: bob.userId });
    const unbanned = await untilMember(alice, banned.since, roomId, bob, "leave");
    const join = await joinBy(bob, roomId, { reason: "back" });

    for (const response of [ban, unban]) expectEqual(ok(response), {}, "the answer", response);
    const expected = { sender: alice.userId, content: { reason: REASON } };
    expectContains(banned.found, expected, "the event of the ban");
    expectEqual(unbanned.found.sender, alice.userId, "the sender of the end of the ban");
    ok(join);
    expectEqual(await membership(alice, roomId, bob), "join", "bob's membership in the end");
  },
);

check(
  "CS.ban.flow",
  "the server bans a user who was never present, and unbans to leave",
  {
    mutant: [
      altersAnswer("refuses the ban", { path: BAN }, REFUSED),
      claims("only claims the ban", { path: BAN }, {}),
      altersRequest("loses the reason", { path: BAN }, { remove: ["/reason"] }),
      altersAnswer("admits the banned", { path: JOIN, contains: "banned" }, DONE),
      claims("only claims the end of the ban", { path: UNBAN }, {}),
      altersAnswer("refuses the join", { path: JOIN, contains: "free" }, REFUSED),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });

    const ban = await change(alice, roomId, "ban", { user_id: bob.userId, reason: REASON });
    const banned = await alice.state(roomId, "m.room.member", bob.userId);
    const early = await joinBy(bob, roomId, { reason: "still banned" });
    const unban = await change(alice, roomId, "unban", { user_id: bob.userId });
    const unbanned = await membership(alice, roomId, bob);
    const join = await joinBy(bob, roomId, { reason: "free again" });

    for (const response of [ban, unban]) expectEqual(ok(response), {}, "the answer", response);
    expectContains(banned, { membership: "ban", reason: REASON }, "the content of the ban");
    expectBanned(world, early, "a banned user's join");
    expectEqual(unbanned, "leave", "bob's membership after the ban");
    ok(join);
    expectEqual(await membership(alice, roomId, bob), "join", "bob's membership in the end");
  },
);

const BANS = ["a member by an outsider", "a stranger by a member", "a member by a member"] as const;

check(
  "CS.ban.forbidden",
  "the server refuses bans from outside and below the level",
  {
    mutant: [
      ...takes("ban", BANS),
      altersAnswer("bans the member", { path: MEMBER, status: 200 }, BANNED),
      altersAnswer("bans the stranger", { path: MEMBER, status: 404 }, BANNED),
    ],
  },
  async (world) => {
    const [alice, bob, charlie, erin] = await world.users("alice", "bob", "charlie", "erin");
    const mallory = await world.user("mallory");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    for (const member of [bob, charlie]) await member.join(roomId);
    const before = await presentState(alice, roomId);
    const ban = (banner: Session, target: Session, reason: (typeof BANS)[number]) =>
      change(banner, roomId, "ban", { user_id: target.userId, reason });

    const answers = [
      await ban(mallory, bob, "a member by an outsider"),
      await ban(charlie, erin, "a stranger by a member"),
      await ban(charlie, bob, "a member by a member"),
    ];

    for (const response of answers) expectMatrixError(response, 403, "M_FORBIDDEN");
    expectEqual(await membership(alice, roomId, bob), "join", "the member's membership");
    expectEqual(await membership(alice, roomId, erin), undefined, "the stranger's membership");
    expectEqual(await presentState(alice, roomId), before, "the state of the room");
  },
);

/** A refusal to end a ban that is none. */
function expectNotBanned(response: HttpResponse): void {
  const isRefused = response.status >= 400 && response.status < 500;
  expectThat(isRefused, "status 4xx", `status ${response.status}`, response);
  expectMatrixError(response, response.status, ["M_BAD_STATE", "M_FORBIDDEN"]);
}

const UNBANS = ["a member", "somebody who left"] as const;

check(
  "CS.ban.forbidden",
  "the server refuses to unban members and former members who are not banned",
  {
    mutant: [
      ...takes("unban", UNBANS),
      altersAnswer(
        "turns the member into leave",
        { path: MEMBER },
        { set: { "/membership": "leave" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    for (const member of [bob, charlie]) await member.join(roomId);
    await charlie.leave(roomId);
    const before = await presentState(alice, roomId);
    const unban = (target: Session, reason: (typeof UNBANS)[number]) =>
      change(alice, roomId, "unban", { user_id: target.userId, reason });

    const answers = [await unban(bob, "a member"), await unban(charlie, "somebody who left")];

    for (const response of answers) expectNotBanned(response);
    expectEqual(await membership(alice, roomId, bob), "join", "the member's membership");
    expectEqual(await presentState(alice, roomId), before, "the state of the room");
  },
);

check(
  "CS.ban.forbidden",
  "the server refuses to unban a user who was never present, and makes no event of it",
  {
    mutant: [
      altersAnswer("takes it", { path: UNBAN }, DONE),
      altersAnswer(
        "makes a leave event",
        { path: MEMBER },
        { status: 200, body: { membership: "leave" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });

    const response = await change(alice, roomId, "unban", { user_id: bob.userId });

    expectEqual(await membership(alice, roomId, bob), undefined, "bob's membership");
    expectNotBanned(response);
  },
);
