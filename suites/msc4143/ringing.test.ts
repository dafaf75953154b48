/** What a server does so that phones ring (MSC4075 §Push rules). */
import { STICKY } from "#harness/clients/rtc/names";
import { Unsupported } from "#harness/errors";
import { type HttpResponse, path } from "#harness/http/client";
import { at, eventsAt, isObject, type JsonObject, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { DECLINE, INVITE } from "./invites.ts";
import { stick, trySticking } from "./sticky.ts";

const RULES = "/_matrix/client/v3/pushrules/";
const RELATIONS = "/_matrix/client/v1/rooms/*/relations/**";
const OVERRIDE = "/_matrix/client/v3/pushrules/global/override";
const NOTIFICATIONS = "/_matrix/client/v3/notifications";
const SEND = "/_matrix/client/v3/rooms/*/send/**";
const FOR_ME = ".org.matrix.msc4075.rule.rtc.invite_for_me";
const FOR_ROOM = ".org.matrix.msc4075.rule.rtc.invite_for_room";
const USER_MENTION = ".m.rule.is_user_mention";
const ROOM_MENTION = ".m.rule.is_room_mention";

/** Override rules of a user, the most important first. */
async function overrides(session: Session): Promise<readonly JsonObject[]> {
  return listAt(ok(await session.get(RULES)), "global", "override").filter(isObject);
}

/** Nothing but the rules tells that a server has them. */
function needRinging(rules: readonly JsonObject[]): void {
  const ids = rules.map(({ rule_id }) => rule_id);
  if (!ids.includes(FOR_ME) && !ids.includes(FOR_ROOM))
    throw new Unsupported("ringing", "the server has no push rules of MSC4075");
}

check(
  "MSC4075.push.rules",
  "the server has rules for invites to calls ahead of those for mentions, which ring",
  {
    mutant: [
      altersAnswer("has one rule only", { path: RULES }, { replace: [[FOR_ROOM, ".moved"]] }),
      altersAnswer(
        "has them behind those for mentions",
        { path: RULES },
        {
          replace: [
            [FOR_ME, ".moved"],
            [USER_MENTION, FOR_ME],
            [".moved", USER_MENTION],
          ],
        },
      ),
      altersAnswer("does not ring", { path: RULES }, { replace: [['"ring"', '"default"']] }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const rules = await overrides(alice);

    needRinging(rules);
    const placeOf = (id: string) => rules.findIndex(({ rule_id }) => rule_id === id);
    for (const [id, mention] of [
      [FOR_ME, USER_MENTION],
      [FOR_ROOM, ROOM_MENTION],
    ] as const) {
      const rule = rules[placeOf(id)];
      expectThat(rule !== undefined, `the rule ${id}`, rules);
      expectThat(placeOf(id) < placeOf(mention), `${id} ahead of ${mention}`, rules);
      const actions = listAt(rule, "actions");
      const sound = actions.find((action) => at(action, "set_tweak") === "sound");
      expectThat(actions.includes("notify"), `${id} to notify`, actions);
      expectEqual(at(sound, "value"), "ring", `the sound of ${id}`);
      expectEqual(rule.enabled, true, `enabled of ${id}`);
    }
  },
);

/** What the server does about events that a user is to hear of: actions by event id, GET /notifications. */
async function actions(session: Session): Promise<ReadonlyMap<unknown, readonly unknown[]>> {
  const body = ok(await session.get(NOTIFICATIONS, { limit: 50 }));
  return new Map(
    listAt(body, "notifications").map((each) => [
      at(each, "event", "event_id"),
      listAt(each, "actions"),
    ]),
  );
}

/** Sound of what the server has the user hear of an event; undefined: nothing. */
function soundOf(found: ReadonlyMap<unknown, readonly unknown[]>, eventId: string): unknown {
  const tweak = found.get(eventId)?.find((action) => at(action, "set_tweak") === "sound");
  return at(tweak, "value");
}

/** What the server has the user hear of events, once that of the last one is there. */
async function heard(world: World, session: Session, last: string) {
  return await world.eventually(async () => {
    const found = await actions(session);
    expectThat(found.has(last), `a notification of ${last}`, [...found.keys()]);
    return found;
  });
}

/** Invites to a call. */
function ring(caller: Session, roomId: string, mentions: JsonObject): Promise<string> {
  const content = {
    slot_id: "m.call#room",
    msc4354_sticky_key: "m.call#room",
    sender_ts: Date.now(),
    lifetime: 30_000,
    "m.mentions": mentions,
  };
  return stick(caller, roomId, { type: INVITE, content });
}

function mention(sender: Session, roomId: string, ...users: readonly Session[]): Promise<string> {
  const user_ids = users.map(({ userId }) => userId);
  return sender.send(roomId, { msgtype: "m.text", body: "you", "m.mentions": { user_ids } });
}

check(
  "MSC4075.push.delivery",
  "the server has phones ring of those who are called, and of no others",
  {
    mutant: [
      altersAnswer(
        "makes another sound",
        { path: NOTIFICATIONS },
        { replace: [['"ring"', '"default"']] },
      ),
      altersRequest(
        "has all phones ring",
        { path: SEND, contains: '"lifetime"' },
        { set: { "/m.mentions": { room: true } } },
      ),
      altersRequest(
        "has no phone ring when all are called",
        { path: SEND, contains: '"room":true' },
        { set: { "/m.mentions": {} } },
      ),
      claims("pays no heed to a muted room", { method: "PUT", path: `${OVERRIDE}/*` }, {}),
    ],
  },
  async (world) => {
    const [alice, bob, carol] = await world.users("alice", "bob", "carol");
    needRinging(await overrides(bob));
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const other = await alice.createRoom({ preset: "public_chat" });
    for (const session of [bob, carol]) {
      for (const id of [roomId, other]) await session.join(id);
    }

    const forBob = await ring(alice, roomId, { user_ids: [bob.userId] });
    const forAll = await ring(alice, roomId, { room: true });
    await heard(world, bob, forAll);
    const mute = { conditions: [{ kind: "event_match", key: "room_id", pattern: roomId }] };
    ok(await bob.put(`${OVERRIDE}/muted`, { ...mute, actions: [] }));
    const muted = await ring(alice, roomId, { user_ids: [bob.userId] });
    const elsewhere = await mention(alice, other, bob, carol);
    const bobs = await heard(world, bob, elsewhere);
    const carols = await heard(world, carol, elsewhere);

    expectEqual(soundOf(bobs, forBob), "ring", "the sound for the user who is called");
    for (const found of [bobs, carols])
      expectEqual(soundOf(found, forAll), "ring", "the sound when all are called");
    expectEqual(carols.get(forBob), undefined, "what a user hears who is not called");
    expectEqual(bobs.get(muted), undefined, "what a user hears of a room that is muted");
  },
);

/** Tries to decline an invite; any answer. */
function decline(session: Session, roomId: string, eventId: string): Promise<HttpResponse> {
  const relation = { rel_type: "m.reference", event_id: eventId };
  const content = { "m.relates_to": relation, msc4354_sticky_key: eventId };
  return trySticking(session, roomId, { type: DECLINE, content });
}

check(
  "MSC4075.decline.listed",
  "the server lists who has declined an invite, and nobody else",
  {
    mutant: [
      altersAnswer("lists nobody", { path: RELATIONS }, { set: { "/chunk": [] } }),
      altersAnswer(
        "lists others too",
        { path: RELATIONS },
        {
          set: {
            "/chunk/-": { type: DECLINE, sender: "@carol:hs1", event_id: "$other", content: {} },
          },
        },
      ),
      altersAnswer("hides that it sticks", { path: RELATIONS }, { remove: [`/chunk/*/${STICKY}`] }),
    ],
  },
  async (world) => {
    const [alice, bob, carol] = await world.users("alice", "bob", "carol");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    for (const session of [bob, carol]) await session.join(roomId);
    const invite = await ring(alice, roomId, { room: true });

    const declined = textAt(ok(await decline(bob, roomId, invite)), "event_id");
    const lost = await decline(carol, roomId, `$${world.name("nothing")}`);
    world.note(`a decline of an event that nobody knows answers ${lost.status}`);

    const target = path`/_matrix/client/v1/rooms/${roomId}/relations/${invite}/m.reference`;
    const response = await alice.get(target);
    const listed = eventsAt(ok(response), "chunk");
    expectEqual(
      listed.map(({ event_id }) => event_id),
      [declined],
      "the declines",
      response,
    );
    expectEqual(listed[0]?.sender, bob.userId, "who has declined", response);
    expectThat(at(listed[0], STICKY) !== undefined, "a sticky object", listed[0], response);
  },
);
