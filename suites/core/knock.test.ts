import { type HttpResponse, path } from "#harness/http/client";
import { type JsonObject, listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import type { ServerClient, Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import {
  change,
  DONE,
  expectBanned,
  expectStripped,
  JOIN,
  joinBy,
  MEMBER,
  membership,
  REFUSED,
  roomsUnder,
  untilIn,
  untilMember,
} from "./membership.ts";
import { ROOM, unknownRoom } from "./rooms.ts";
import { SYNC } from "./syncs.ts";

const KNOCK = "/_matrix/client/v3/knock/*";
const KNOCKED = { status: 200, body: { room_id: "!knocked" } };
const REASON = "to hear the tides";
/** Both versions are the first with their join rule. */
const VERSION_OF = { knock: "7", knock_restricted: "10" } as const;

function knock(
  session: ServerClient,
  roomIdOrAlias: string,
  reason = REASON,
): Promise<HttpResponse> {
  return session.post(path`/_matrix/client/v3/knock/${roomIdOrAlias}`, { reason });
}

function createKnockRoom(
  world: World,
  creator: Session,
  joinRule: keyof typeof VERSION_OF,
  options: JsonObject = {},
): Promise<string> {
  const version = VERSION_OF[joinRule];
  world.needs(`room-version:${version}`);
  const rules = { join_rule: joinRule, ...(joinRule === "knock" ? {} : { allow: [] }) };
  return creator.createRoom({
    preset: "private_chat",
    room_version: version,
    initial_state: [{ type: "m.room.join_rules", state_key: "", content: rules }],
    ...options,
  });
}

/** A knock that the knocker sees as stripped state and the members as an event with the reason. */
async function expectKnock(world: World, joinRule: keyof typeof VERSION_OF): Promise<void> {
  const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
  const alias = world.name("alias");
  const roomId = await createKnockRoom(world, alice, joinRule, { room_alias_name: alias });
  const start = await alice.syncToken();
  const [since, sinceOfCharlie] = await Promise.all([bob.syncToken(), charlie.syncToken()]);

  const byId = await knock(bob, roomId);
  const { found } = await untilIn(bob, since, "knock", roomId);
  const seen = await untilMember(alice, start, roomId, bob, "knock");
  const byAlias = await knock(charlie, `#${alias}:${alice.server.serverName}`);
  await untilIn(charlie, sinceOfCharlie, "knock", roomId);
  const seenAgain = await untilMember(alice, seen.since, roomId, charlie, "knock");

  for (const response of [byId, byAlias])
    expectEqual(ok(response).room_id, roomId, "room_id of the answer", response);
  const events = listAt(found, "knock_state", "events");
  expectStripped(world, events, { user: bob, sender: bob, membership: "knock" });
  expectContains(
    seen.found,
    { sender: bob.userId, content: { reason: REASON } },
    "the knock by id",
  );
  expectContains(
    seenAgain.found,
    { sender: charlie.userId, content: { reason: REASON } },
    "the knock by alias",
  );
}

const KNOCK_MUTANTS = [
  altersAnswer("refuses knocks", { path: KNOCK }, REFUSED),
  altersAnswer("does not name the room", { path: KNOCK }, { remove: ["/room_id"] }),
  altersRequest("loses the reason", { path: KNOCK }, { remove: ["/reason"] }),
  altersAnswer("hides the knock from the knocker", { path: SYNC }, { remove: ["/rooms/knock"] }),
  altersAnswer(
    "shows no own member event",
    { path: SYNC },
    { set: { "/rooms/knock/*/knock_state/events/*/state_key": "" } },
  ),
  altersAnswer(
    "shows full events",
    { path: SYNC },
    { set: { "/rooms/knock/*/knock_state/events/*/event_id": "$full" } },
  ),
  altersAnswer("hides the knock from members", { path: SYNC }, { remove: ["/rooms/join"] }),
];

check(
  "CS.knock.flow",
  "the server shows a knock to the user and, with its reason, to the members",
  { mutant: KNOCK_MUTANTS },
  (world) => expectKnock(world, "knock"),
);

check(
  "CS.knock.flow",
  "the server takes and shows knocks in a room with the join rule knock_restricted too",
  { mutant: KNOCK_MUTANTS },
  (world) => expectKnock(world, "knock_restricted"),
);

/** Bob has knocked, and both he and alice have seen it. */
async function knocked(world: World) {
  const [alice, bob] = await world.users("alice", "bob");
  const roomId = await createKnockRoom(world, alice, "knock");
  const [start, since] = await Promise.all([alice.syncToken(), bob.syncToken()]);
  ok(await knock(bob, roomId));
  const [ofAlice, ofBob] = await Promise.all([
    untilMember(alice, start, roomId, bob, "knock"),
    untilIn(bob, since, "knock", roomId),
  ]);
  return { alice, bob, roomId, since: ofAlice.since, sinceOfBob: ofBob.since };
}

check(
  "CS.knock.flow",
  "the server lets a member accept a knock by an invite",
  {
    mutant: [
      altersAnswer("refuses the invite", { path: `${ROOM}/invite` }, REFUSED),
      altersAnswer("refuses the join", { path: JOIN }, REFUSED),
      altersAnswer("keeps the knock", { path: MEMBER }, { set: { "/membership": "knock" } }),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await knocked(world);

    const invite = await change(alice, roomId, "invite", { user_id: bob.userId });
    // Servers may join by themselves then; a second join is harmless.
    const join = await joinBy(bob, roomId);

    ok(invite);
    expectEqual(ok(join).room_id, roomId, "the joined room", join);
    expectEqual(await membership(alice, roomId, bob), "join", "bob's membership");
  },
);

const END_MUTANTS = [
  altersAnswer("keeps the knock", { path: SYNC }, { remove: ["/rooms/join"] }),
  altersAnswer("refuses another knock", { path: KNOCK, contains: "once more" }, REFUSED),
  claims("only claims another knock", { path: KNOCK, contains: "once more" }, { room_id: "!no" }),
  altersAnswer(
    "still shows the knock to the user",
    { path: SYNC, contains: "mark=later" },
    { set: { "/rooms": { knock: { "!knocked": {} } } } },
  ),
];

/** The knock has ended for members and for bob, who may knock again. */
async function expectEnded(
  { alice, bob, roomId, since }: Awaited<ReturnType<typeof knocked>>,
  end: HttpResponse,
  sender: Session,
): Promise<void> {
  const left = await untilMember(alice, since, roomId, bob, "leave");
  const later = await bob.sync({ query: { "org.example.mark": "later" } });
  const again = await knock(bob, roomId, "once more");
  await untilMember(alice, left.since, roomId, bob, "knock");

  expectEqual(ok(end), {}, "the answer", end);
  expectEqual(left.found.sender, sender.userId, "who ended the knock");
  expectEqual(roomsUnder(later, "knock"), [], "the rooms under knock in /sync");
  expectEqual(ok(again).room_id, roomId, "room_id of the answer", again);
}

check(
  "CS.knock.flow",
  "the server lets a member reject a knock by a kick, and the user knock again",
  {
    mutant: [...END_MUTANTS, altersAnswer("refuses the kick", { path: `${ROOM}/kick` }, REFUSED)],
  },
  async (world) => {
    const knocker = await knocked(world);
    const { alice, bob, roomId, sinceOfBob } = knocker;

    const kick = await change(alice, roomId, "kick", { user_id: bob.userId });
    await untilIn(bob, sinceOfBob, "leave", roomId);

    await expectEnded(knocker, kick, alice);
  },
);

check(
  "CS.knock.flow",
  "the server lets a user withdraw a knock and knock again",
  {
    mutant: [...END_MUTANTS, altersAnswer("refuses the leave", { path: `${ROOM}/leave` }, REFUSED)],
  },
  async (world) => {
    const knocker = await knocked(world);

    const leave = await change(knocker.bob, knocker.roomId, "leave");

    await expectEnded(knocker, leave, knocker.bob);
  },
);

check(
  "CS.knock.forbidden",
  "the server refuses knocks where the join rule is public or invite, and of unknown rooms",
  {
    mutant: [
      altersAnswer("takes knocks", { path: KNOCK, status: 403 }, KNOCKED),
      altersAnswer(
        "finds an unknown room",
        { path: KNOCK, status: 404 },
        { status: 403, body: REFUSED.body },
      ),
      altersAnswer(
        "makes a knock",
        { path: MEMBER },
        { status: 200, body: { membership: "knock" } },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    const rooms = [
      await alice.createRoom({ preset: "public_chat" }),
      await alice.createRoom({ preset: "private_chat" }),
    ];

    for (const roomId of rooms) {
      const response = await knock(mallory, roomId);

      expectMatrixError(response, 403, "M_FORBIDDEN");
      expectEqual(await membership(alice, roomId, mallory), undefined, "the membership");
    }
    expectMatrixError(await knock(mallory, unknownRoom(world)), 404);
  },
);

check(
  "CS.knock.forbidden",
  "the server refuses knocks of members, invitees and banned users",
  {
    mutant: [
      ...["joined", "invited", "banned"].map((reason) =>
        altersAnswer(
          `takes the knock of who is ${reason}`,
          { path: KNOCK, contains: reason },
          KNOCKED,
        ),
      ),
      altersAnswer("replaces the join", { path: MEMBER }, { set: { "/membership": "knock" } }),
    ],
  },
  async (world) => {
    const [alice, bob, charlie, mallory] = await world.users("alice", "bob", "charlie", "mallory");
    const roomId = await createKnockRoom(world, alice, "knock", {
      invite: [bob.userId, charlie.userId],
    });
    await bob.join(roomId);
    await alice.ban(roomId, mallory);

    const member = await knock(bob, roomId, "joined");
    const invitee = await knock(charlie, roomId, "invited");
    const banned = await knock(mallory, roomId, "banned");

    expectMatrixError(member, 403, "M_FORBIDDEN");
    expectMatrixError(invitee, 403, "M_FORBIDDEN");
    expectBanned(world, banned, "a banned user's knock");
    expectEqual(await membership(alice, roomId, bob), "join", "bob's membership");
    expectEqual(await membership(alice, roomId, charlie), "invite", "charlie's membership");
    expectEqual(await membership(alice, roomId, mallory), "ban", "mallory's membership");
  },
);

check(
  "CS.knock.forbidden",
  "the server lets nobody join a knock room without invite",
  {
    mutant: [
      altersAnswer("admits an outsider", { path: JOIN, contains: "outsider" }, DONE),
      altersAnswer("admits a knocker", { path: JOIN, contains: "knocker" }, DONE),
      altersAnswer("joins the knocker", { path: MEMBER }, { set: { "/membership": "join" } }),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await knocked(world);
    const mallory = await world.user("mallory");

    const outsider = await joinBy(mallory, roomId, { reason: "outsider" });
    const knocker = await joinBy(bob, roomId, { reason: "knocker" });

    for (const response of [outsider, knocker]) expectMatrixError(response, 403, "M_FORBIDDEN");
    expectEqual(await membership(alice, roomId, mallory), undefined, "mallory's membership");
    expectEqual(await membership(alice, roomId, bob), "knock", "bob's membership");
  },
);
