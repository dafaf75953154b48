import { path } from "#harness/http/client";
import { type JsonObject, listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import {
  BROKEN,
  change,
  DONE,
  expectBanned,
  expectForbiddenOrUnknown,
  expectStripped,
  JOIN,
  joinBy,
  MEMBER,
  membership,
  REFUSED,
  roomsUnder,
  stripped,
  untilIn,
} from "./membership.ts";
import { ROOM, setLevels } from "./rooms.ts";
import { SYNC } from "./syncs.ts";

const INVITE = `${ROOM}/invite`;
const LEAVE = `${ROOM}/leave`;
const STRIPPED = "/rooms/invite/*/invite_state/events/*";
const CONFIG = "/_matrix/client/v3/user/*/account_data/m.invite_permission_config";

/** What stripped state tells of a room besides its creation. */
const PRESENTATION = {
  "m.room.name": { name: "Harbour" },
  "m.room.topic": { topic: "Ships and tides" },
  "m.room.avatar": { url: "mxc://example.org/harbour" },
  "m.room.encryption": { algorithm: "m.megolm.v1.aes-sha2" },
  "m.room.join_rules": { join_rule: "invite" },
};

check(
  "CS.invite.flow",
  "the server shows an invite with stripped state and lets the user join",
  {
    mutant: [
      altersAnswer("hides the invite", { path: SYNC }, { remove: ["/rooms/invite"] }),
      altersAnswer(
        "shows full events",
        { path: SYNC },
        { set: { [`${STRIPPED}/event_id`]: "$full" } },
      ),
      altersAnswer(
        "shows no own member event",
        { path: SYNC },
        { set: { [`${STRIPPED}/state_key`]: "" } },
      ),
      altersAnswer("shows another name", { path: SYNC }, { replace: [["Harbour", "Airport"]] }),
      altersAnswer("refuses the join", { path: JOIN }, REFUSED),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const name = world.name("alias");
    const roomId = await alice.createRoom({
      preset: "private_chat",
      room_alias_name: name,
      initial_state: Object.entries(PRESENTATION).map(([type, content]) => ({
        type,
        state_key: "",
        content,
      })),
    });
    const alias = `#${name}:${alice.server.serverName}`;
    await alice.setState(roomId, "m.room.canonical_alias", { alias });
    const since = await bob.syncToken();

    const response = await change(alice, roomId, "invite", { user_id: bob.userId });
    const { found } = await untilIn(bob, since, "invite", roomId);

    expectEqual(ok(response), {}, "the answer", response);
    const events = listAt(found, "invite_state", "events");
    expectStripped(world, events, { user: bob, sender: alice, membership: "invite" });
    const expected = { ...PRESENTATION, "m.room.canonical_alias": { alias } };
    for (const [type, content] of Object.entries(expected)) {
      const event = stripped(events, type);
      if (event === undefined) world.note(`the invite has no ${type}`);
      else expectContains(event, { sender: alice.userId, content }, `stripped ${type}`);
    }
    expectEqual(ok(await joinBy(bob, roomId)).room_id, roomId, "the joined room");
    expectEqual(await membership(alice, roomId, bob), "join", "bob's membership");
  },
);

/** An invite of bob that he has seen, with the token after it. */
async function invited(world: World) {
  const [alice, bob] = await world.users("alice", "bob");
  const roomId = await alice.createRoom({ preset: "private_chat" });
  const start = await bob.syncToken();
  await alice.invite(roomId, bob);
  const { since } = await untilIn(bob, start, "invite", roomId);
  return { alice, bob, roomId, since };
}

const REJECT_MUTANTS = [
  altersAnswer("refuses the rejection", { path: LEAVE, contains: "no, thanks" }, REFUSED),
  altersAnswer("hides the rejection", { path: SYNC }, { remove: ["/rooms/leave"] }),
  claims("only claims the rejection", { path: LEAVE, contains: "no, thanks" }, {}),
  altersAnswer("admits the user still", { path: JOIN, status: [403, 404] }, DONE),
];

check(
  "CS.invite.reject",
  "the server lets a user reject an invite",
  { mutant: REJECT_MUTANTS },
  async (world) => {
    const { alice, bob, roomId, since } = await invited(world);

    const response = await change(bob, roomId, "leave", { reason: "no, thanks" });
    await untilIn(bob, since, "leave", roomId);
    const join = await joinBy(bob, roomId);

    expectEqual(ok(response), {}, "the answer", response);
    expectMatrixError(join, 403, "M_FORBIDDEN");
    expectEqual(await membership(alice, roomId, bob), "leave", "bob's membership");
  },
);

check(
  "CS.invite.reject",
  "the server lets a user reject an invite to a room that everybody has left",
  { mutant: REJECT_MUTANTS },
  async (world) => {
    const { alice, bob, roomId, since } = await invited(world);
    await alice.leave(roomId);

    const response = await change(bob, roomId, "leave", { reason: "no, thanks" });
    await untilIn(bob, since, "leave", roomId);
    const join = await joinBy(bob, roomId);

    expectEqual(ok(response), {}, "the answer", response);
    expectForbiddenOrUnknown(world, join, "a join of the empty room");
  },
);

check(
  "CS.invite.forbidden",
  "the server refuses invites by outsiders, of oneself and of members",
  {
    mutant: [
      claims("takes the invite of an outsider", { path: INVITE, contains: "from outside" }, {}),
      claims("takes an outsider's invite of himself", { path: INVITE, contains: "let me in" }, {}),
      claims("takes a member's invite of himself", { path: INVITE, contains: "myself" }, {}),
      claims("takes the invite of a member", { path: INVITE, contains: "once more" }, {}),
      altersAnswer(
        "turns members into invitees",
        { path: MEMBER, status: 200 },
        { set: { "/membership": "invite" } },
      ),
      altersAnswer(
        "keeps the outsider's invitee",
        { path: MEMBER, status: 404 },
        { status: 200, body: { membership: "invite" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie, mallory] = await world.users("alice", "bob", "charlie", "mallory");
    const roomId = await alice.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await bob.join(roomId);
    const invite = (inviter: Session, invitee: Session, reason: string) =>
      change(inviter, roomId, "invite", { user_id: invitee.userId, reason });

    const answers = [
      await invite(mallory, charlie, "from outside"),
      await invite(mallory, mallory, "let me in"),
      await invite(alice, alice, "myself"),
      await invite(alice, bob, "once more"),
    ];

    for (const response of answers) expectMatrixError(response, 403, "M_FORBIDDEN");
    expectEqual(await membership(alice, roomId, charlie), undefined, "charlie's membership");
    expectEqual(await membership(alice, roomId, mallory), undefined, "mallory's membership");
    expectEqual(await membership(alice, roomId, alice), "join", "alice's membership");
    expectEqual(await membership(alice, roomId, bob), "join", "bob's membership");
  },
);

check(
  "CS.invite.forbidden",
  "the server refuses invites of banned users and below the invite level",
  {
    mutant: [
      claims("takes the invite of a banned user", { path: INVITE, contains: "back" }, {}),
      claims("takes an invite below the level", { path: INVITE, contains: "too low" }, {}),
      altersAnswer(
        "ends the ban",
        { path: MEMBER, status: 200 },
        { set: { "/membership": "invite" } },
      ),
      altersAnswer(
        "keeps the invitee",
        { path: MEMBER, status: 404 },
        { status: 200, body: { membership: "invite" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie, mallory] = await world.users("alice", "bob", "charlie", "mallory");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    await alice.ban(roomId, mallory);
    await setLevels(alice, roomId, { invite: 50 });

    const ofBanned = await change(alice, roomId, "invite", {
      user_id: mallory.userId,
      reason: "back",
    });
    const tooLow = await change(bob, roomId, "invite", {
      user_id: charlie.userId,
      reason: "too low",
    });

    expectBanned(world, ofBanned, "an invite of a banned user");
    expectEqual(await membership(alice, roomId, mallory), "ban", "mallory's membership");
    expectMatrixError(tooLow, 403, "M_FORBIDDEN");
    expectEqual(await membership(alice, roomId, charlie), undefined, "charlie's membership");
  },
);

check(
  "CS.invite.reinvite-creator",
  "the server lets a creator who left be invited back",
  {
    mutant: [
      altersAnswer("refuses the invite", { path: INVITE, contains: "back" }, REFUSED),
      altersAnswer("refuses the join", { path: JOIN }, REFUSED),
      altersAnswer("keeps the creator out", { path: MEMBER }, { set: { "/membership": "leave" } }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "private_chat", invite: [bob.userId] });
    await bob.join(roomId);
    await setLevels(alice, roomId, { invite: 0 });
    await alice.leave(roomId);

    const invite = await change(bob, roomId, "invite", { user_id: alice.userId, reason: "back" });
    const join = await joinBy(alice, roomId);

    ok(invite);
    expectEqual(ok(join).room_id, roomId, "the joined room", join);
    expectEqual(await membership(bob, roomId, alice), "join", "alice's membership");
  },
);

/** PUT of the account data by which a user blocks invites. */
async function block(user: Session): Promise<void> {
  const type = "m.invite_permission_config";
  const content = { default_action: "block" };
  ok(await user.put(path`/_matrix/client/v3/user/${user.userId}/account_data/${type}`, content));
}

/** All answers to bob's syncs until alice's next message in a room that they share. */
async function syncsUntilMessage(
  alice: Session,
  bob: Session,
  since: string,
  shared: string,
): Promise<readonly JsonObject[]> {
  const marker = await alice.send(shared, "later than the invites");
  return (await bob.syncUntilEvent(since, shared, marker)).bodies;
}

check(
  "CS.invite.blocked",
  "the server refuses invites of a user who blocks them",
  {
    mutant: [
      altersRequest(
        "stores the setting and ignores it",
        { method: "PUT", path: CONFIG },
        { body: { "org.example.ignored": "block" } },
      ),
      claims("takes the invite", { path: INVITE }, {}),
      claims("takes the member event", { method: "PUT", path: MEMBER }),
      altersAnswer(
        "has another errcode on createRoom",
        { path: "/_matrix/client/v3/createRoom", contains: "@bob" },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } },
      ),
      altersAnswer(
        "breaks on createRoom",
        { path: "/_matrix/client/v3/createRoom", contains: "@bob" },
        BROKEN,
      ),
      altersAnswer(
        "shows an invite",
        { path: SYNC, contains: "since" },
        { set: { "/rooms/invite": { "!invited": { invite_state: { events: [] } } } } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const shared = await alice.createRoom({ preset: "public_chat" });
    await bob.join(shared);
    const roomId = await alice.createRoom({ preset: "private_chat" });
    await block(bob);
    const since = await bob.syncToken();
    const member = path`/_matrix/client/v3/rooms/${roomId}/state/m.room.member/${bob.userId}`;

    const invite = await change(alice, roomId, "invite", { user_id: bob.userId });
    const put = await alice.put(member, { membership: "invite" });
    const creation = await alice.post("/_matrix/client/v3/createRoom", {
      preset: "private_chat",
      invite: [bob.userId],
    });
    const bodies = await syncsUntilMessage(alice, bob, since, shared);

    for (const response of [invite, put]) expectMatrixError(response, 403, "M_INVITE_BLOCKED");
    if (creation.status === 200) world.note("createRoom succeeds without the blocked invite");
    else expectMatrixError(creation, 403, "M_INVITE_BLOCKED");
    expectEqual(await membership(alice, roomId, bob), undefined, "bob's membership");
    const shown = bodies.flatMap((body) => roomsUnder(body, "invite"));
    expectEqual(shown, [], "the invites in bob's sync");
  },
);

check(
  "CS.invite.blocked",
  "the server hides invites from before the block",
  {
    mutant: altersRequest(
      "stores the setting and ignores it",
      { method: "PUT", path: CONFIG },
      { body: { "org.example.ignored": "block" } },
    ),
  },
  async (world) => {
    const { alice, bob, roomId, since } = await invited(world);
    const shared = await alice.createRoom({ preset: "public_chat" });
    await bob.join(shared);

    await block(bob);
    const bodies = await syncsUntilMessage(alice, bob, since, shared);
    const initial = await bob.sync();

    for (const body of [...bodies, initial]) {
      const shown = roomsUnder(body, "invite");
      expectThat(!shown.includes(roomId), "no invite from before the block in /sync", shown);
    }
  },
);
