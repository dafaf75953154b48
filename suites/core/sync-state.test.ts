import {
  at,
  eventsAt,
  isObject,
  type JsonObject,
  listAt,
  objectAt,
  textAt,
} from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { room, type Session, stateBefore, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { ids, ROOM, texts, walkMessages } from "./rooms.ts";
import { folded, presentState, roomsIn, SYNC, sendAll, stateIds, syncWith } from "./syncs.ts";

const FULL = { full_state: true };

check(
  "CS.sync.full-state",
  "the server returns the state of every joined room with full_state",
  {
    mutant: [
      altersAnswer(
        "returns changed rooms only",
        { path: SYNC, contains: "mark=idle" },
        { set: { "/rooms/join": {} } },
      ),
      altersAnswer(
        "returns changed state only",
        { path: SYNC, contains: "full_state" },
        { set: { "/rooms/join/*/state/events": [] } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const changed = await alice.createRoom({ preset: "public_chat", topic: "old" });
    const unchanged = await alice.createRoom({ preset: "public_chat", topic: "old" });
    await Promise.all([bob.join(changed), bob.join(unchanged)]);
    const since = await bob.syncToken();
    await alice.setState(changed, "m.room.topic", { topic: "new" });
    const last = await alice.send(changed, "last");

    const body = await syncWith(world, bob, { since, query: FULL }, changed, last);
    const query = { ...FULL, "org.example.mark": "idle" };
    const idle = await bob.sync({ since: body.next_batch, query });

    const [ofChanged, ofUnchanged] = [
      await presentState(bob, changed),
      await presentState(bob, unchanged),
    ];
    for (const answer of [body, idle]) {
      expectEqual([...roomsIn(answer, "join")].sort(), [changed, unchanged].sort(), "the rooms");
      expectEqual(folded(answer, changed), ofChanged, "the state of the room with news");
      expectEqual(folded(answer, unchanged), ofUnchanged, "the state of the room without news");
    }
    expectEqual(ids(timeline(body, unchanged)), [], "the timeline of the room without news");
  },
);

check(
  "CS.sync.full-state",
  "the server shows a rejected invite under leave with full_state until its user joins",
  {
    mutant: [
      altersAnswer(
        "forgets the rejected invite",
        { path: SYNC, contains: "full_state" },
        { remove: ["/rooms/leave"] },
      ),
      claims(
        "keeps the rejected invite",
        { method: "POST", path: "/_matrix/client/v3/join/*" },
        { room_id: "!joined" },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const start = await bob.syncToken();
    await alice.invite(roomId, bob);
    const { since } = await bob.syncUntil(start, "the invite", (body) =>
      room(body, "invite", roomId),
    );
    await bob.leave(roomId);

    const left = await world.eventually(async () => {
      const body = await bob.sync({ since, query: FULL });
      expectThat(roomsIn(body, "leave").includes(roomId), "the room under leave", body.rooms);
      return body;
    });
    await bob.join(roomId);
    for (const token of [since, left.next_batch]) {
      await world.eventually(
        async () => {
          const body = await bob.sync({ since: token, query: FULL });
          objectAt(body, "rooms", "join", roomId);
          expectEqual(room(body, "leave", roomId), undefined, "the joined room under leave");
        },
        { deadlineMs: 5_000 },
      );
    }
  },
);

interface Gap {
  readonly alice: Session;
  readonly bob: Session;
  readonly roomId: string;
  /** Of bob, before all that follows. */
  readonly since: string;
  /** What the limit leaves out, oldest first; among it two topics. */
  readonly missing: readonly string[];
  /** The latter of the topics. */
  readonly topic: string;
  /** State within the last two events. */
  readonly name: string;
  readonly last: string;
}

const TWO = { room: { timeline: { limit: 2 } } };

/** More news for bob than a timeline of two events takes, with state in it and before it. */
async function openGap(world: World): Promise<Gap> {
  const [alice, bob] = await world.users("alice", "bob");
  const roomId = await alice.createRoom({ preset: "public_chat", topic: "before" });
  await bob.join(roomId);
  const { next_batch: since } = await bob.sync({ filter: TWO });
  const passing = await alice.setState(roomId, "m.room.topic", { topic: "passing" });
  const topic = await alice.setState(roomId, "m.room.topic", { topic: "in the gap" });
  const messages = await sendAll(alice, roomId, "one", "two", "three", "four");
  const name = await alice.setState(roomId, "m.room.name", { name: "in the timeline" });
  const last = await alice.send(roomId, "five");
  const missing = [passing, topic, ...messages];
  return { alice, bob, roomId, since, missing, topic, name, last };
}

check(
  "CS.sync.gap",
  "the server limits the timeline, tells the state over the gap, and /messages fills it",
  {
    mutant: [
      altersAnswer(
        "denies the gap",
        { path: SYNC },
        { set: { "/rooms/join/*/timeline/limited": false } },
      ),
      altersAnswer(
        "returns more than the limit",
        { path: SYNC },
        {
          set: {
            "/rooms/join/*/timeline/events/-": {
              type: "m.room.message",
              content: {},
              event_id: "$",
            },
          },
        },
      ),
      altersAnswer(
        "loses the state of the gap",
        { path: SYNC },
        { set: { "/rooms/join/*/state/events": [] } },
      ),
      altersAnswer(
        "tells later state",
        { path: SYNC },
        {
          set: {
            "/rooms/join/*/state/events/-": {
              type: "m.room.name",
              state_key: "",
              content: {},
              event_id: "$",
            },
          },
        },
      ),
      altersAnswer(
        "leaves a hole before the timeline",
        { path: `${ROOM}/messages` },
        { remove: ["/chunk/0"] },
      ),
      altersAnswer(
        "leaves a hole after the token",
        { path: `${ROOM}/messages` },
        { remove: ["/chunk/-1"] },
      ),
    ],
  },
  async (world) => {
    const { bob, roomId, since, missing, topic, name, last } = await openGap(world);

    const body = await syncWith(world, bob, { since, filter: TWO }, roomId, last);
    const shown = objectAt(body, "rooms", "join", roomId, "timeline");
    const gap = await walkMessages(bob, roomId, {
      dir: "b",
      from: textAt(shown, "prev_batch"),
      to: since,
    });

    expectEqual(ids(timeline(body, roomId)), [name, last], "the timeline");
    expectEqual(shown.limited, true, "limited");
    expectEqual(ids(stateBefore(body, roomId)), [topic], "the state over the gap");
    expectEqual(ids(gap.events), [...missing].reverse(), "what /messages gives between the tokens");
  },
);

check(
  "CS.sync.gap-newly-joined",
  "the server sets limited when visible messages of a room just joined are left out",
  {
    mutant: altersAnswer(
      "denies that messages are missing",
      { path: SYNC },
      {
        remove: ["/rooms/join/*/timeline/events/0"],
        set: { "/rooms/join/*/timeline/limited": false },
      },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const early = ["one", "two", "three", "four"];
    const late = ["five", "six", "seven", "eight"];
    const filter = {
      room: { timeline: { types: ["m.room.message"], limit: 10 }, state: { types: [] } },
    };
    await sendAll(alice, roomId, ...early);
    const { next_batch: since } = await bob.sync({ filter });
    const sent = await sendAll(alice, roomId, ...late);

    await bob.join(roomId);
    const body = await syncWith(world, bob, { since, filter }, roomId, sent.at(-1) ?? "");

    const shown = timeline(body, roomId);
    const types = new Set(shown.map(({ type }) => type));
    expectEqual([...types], ["m.room.message"], "the types that the filter lets through");
    const isWhole = shown.length === early.length + late.length;
    const limited = at(room(body, "join", roomId), "timeline", "limited");
    expectEqual(
      texts(shown),
      [...early, ...late].slice(-shown.length),
      "the most recent of the messages",
    );
    expectThat(
      isWhole || limited === true,
      "all 8 visible messages, or limited true",
      `${shown.length} messages and limited ${limited}`,
    );
    if (isWhole && limited === true) world.note("limited is true although nothing is missing");
    else world.note(`${shown.length} of the 8 messages come, limited is ${limited}`);
  },
);

const AFTER = { use_state_after: true };

/** Where a joined room's part of a sync tells state. */
function stateKeys(body: JsonObject, roomId: string): readonly string[] {
  const keys = Object.keys(objectAt(body, "rooms", "join", roomId));
  return keys.filter((key) => key === "state" || key === "state_after");
}

function stateAfter(body: JsonObject, roomId: string) {
  return eventsAt(body, "rooms", "join", roomId, "state_after", "events");
}

check(
  "CS.sync.state-after",
  "the server tells the state up to the end of the timeline in state_after alone when asked",
  {
    mutant: [
      altersAnswer(
        "tells the state twice",
        { path: SYNC, contains: "use_state_after" },
        { set: { "/rooms/join/*/state": { events: [] } } },
      ),
      altersAnswer(
        "takes the state at the start of the timeline",
        { path: SYNC, contains: "use_state_after" },
        { remove: ["/rooms/join/*/state_after/events/-1"] },
      ),
      altersRequest(
        "ignores use_state_after",
        { path: SYNC, contains: "use_state_after" },
        {
          path: SYNC,
        },
      ),
    ],
  },
  async (world) => {
    const { alice, bob, roomId, since, topic, name, last } = await openGap(world);
    const options = { filter: TWO, query: AFTER };

    const gap = await syncWith(world, bob, { ...options, since }, roomId, last);
    const initial = await bob.sync(options);
    const more = await alice.send(roomId, "six");
    const message = await syncWith(world, bob, { ...options, since: gap.next_batch }, roomId, more);

    for (const body of [gap, initial, message])
      expectEqual(stateKeys(body, roomId), ["state_after"], "the keys that tell state");
    expectEqual(ids(timeline(gap, roomId)), [name, last], "the timeline");
    expectEqual(
      stateIds(stateAfter(gap, roomId)),
      { "m.room.topic|": topic, "m.room.name|": name },
      "the state that changed until the end of the timeline",
    );
    const state = await presentState(bob, roomId);
    expectEqual(stateIds(stateAfter(initial, roomId)), state, "the whole state_after");
    expectEqual(listAt(room(message, "join", roomId), "state_after", "events"), [], "no state");
  },
);

check(
  "CS.sync.state-after",
  "the server tells the state up to the start of the timeline in state alone when not asked",
  {
    mutant: [
      altersAnswer(
        "tells the state twice",
        { path: SYNC },
        { set: { "/rooms/join/*/state_after": { events: [] } } },
      ),
      altersAnswer(
        "takes the state at the end of the timeline",
        { path: SYNC },
        { set: { "/rooms/join/*/state/events": [] } },
      ),
    ],
  },
  async (world) => {
    const { bob, roomId, since, topic, last } = await openGap(world);

    const without = await syncWith(world, bob, { since, filter: TWO }, roomId, last);
    const declined = await bob.sync({ since, filter: TWO, query: { use_state_after: false } });

    for (const body of [without, declined]) {
      expectEqual(stateKeys(body, roomId), ["state"], "the keys that tell state");
      expectEqual(ids(stateBefore(body, roomId)), [topic], "the state over the gap");
    }
  },
);

const LAZY = { room: { timeline: { limit: 1 }, state: { lazy_load_members: true } } };

/** The members whose events a joined room's part of a sync has. */
function membersIn(body: JsonObject, roomId: string): ReadonlySet<string | undefined> {
  const events = [...stateBefore(body, roomId), ...timeline(body, roomId)];
  return new Set(
    events.filter(({ type }) => type === "m.room.member").map(({ state_key }) => state_key),
  );
}

check(
  "CS.sync.lazy",
  "the server loads the members who speak, the heroes and the own one",
  {
    mutant: [
      ...["alice", "bob"].map((name) =>
        altersAnswer(
          `leaves ${name} out`,
          { path: SYNC },
          { replace: [[`"state_key":"@${name}-`, '"state_key":"@nobody-']] },
        ),
      ),
      altersAnswer(
        "leaves a hero out",
        { path: SYNC },
        { set: { "/rooms/join/*/summary/m.heroes/0": "@nobody:example.org" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const others = await Promise.all(Array.from({ length: 18 }, () => world.user("member")));
    const roomId = await alice.createRoom({ preset: "public_chat" });
    for (const member of [...others, bob]) await member.join(roomId);
    const last = await bob.send(roomId, "hello");

    const body = await syncWith(world, alice, { filter: LAZY }, roomId, last);

    const heroes = at(room(body, "join", roomId), "summary", "m.heroes");
    const expected = new Set([alice.userId, bob.userId, ...(Array.isArray(heroes) ? heroes : [])]);
    const members = membersIn(body, roomId);
    for (const userId of expected) {
      expectThat(members.has(userId), `the membership of ${userId}`, [...members]);
    }
    const extras = [...members].filter((userId) => !expected.has(userId));
    if (extras.length > 0)
      world.note(`${extras.length} of the 20 members come besides sender, self and heroes`);
  },
);

check(
  "CS.sync.lazy",
  "the server tells joins, leaves and new names within a gap",
  {
    mutant: ["dana", "erin", "frank"].map((name) =>
      altersAnswer(
        `loses the change of ${name}`,
        { path: SYNC, contains: "since=" },
        { replace: [[`"state_key":"@${name}-`, '"state_key":"@nobody-']] },
      ),
    ),
  },
  async (world) => {
    const [alice, bob, dana, erin, frank] = await world.users(
      "alice",
      "bob",
      "dana",
      "erin",
      "frank",
    );
    const roomId = await alice.createRoom({ preset: "public_chat" });
    for (const member of [bob, erin, frank]) await member.join(roomId);
    const start = await bob.send(roomId, "start");
    const { next_batch: since } = await syncWith(world, alice, { filter: LAZY }, roomId, start);
    await dana.join(roomId);
    await erin.leave(roomId);
    const member = { membership: "join", displayname: "Frank the Second" };
    await frank.setState(roomId, "m.room.member", member, frank.userId);
    const [, last] = await sendAll(bob, roomId, "one", "two");

    const body = await syncWith(world, alice, { since, filter: LAZY }, roomId, last ?? "");

    expectEqual(objectAt(body, "rooms", "join", roomId, "timeline").limited, true, "limited");
    const changes = new Map(
      stateBefore(body, roomId).map(({ state_key, content }) => [state_key, content]),
    );
    expectEqual(changes.get(dana.userId)?.membership, "join", "the join within the gap");
    expectEqual(changes.get(erin.userId)?.membership, "leave", "the leave within the gap");
    const { displayname } = changes.get(frank.userId) ?? {};
    expectEqual(displayname, member.displayname, "the new name within the gap");
  },
);

const LAZY_ALL = { room: { state: { lazy_load_members: true } } };

/** Follows the summary of a room through syncs: what one leaves out is as before. */
class Summary {
  readonly #session: Session;
  readonly #roomId: string;
  #since: string | undefined;
  #known: JsonObject = {};

  constructor(session: Session, roomId: string) {
    this.#session = session;
    this.#roomId = roomId;
  }

  async untilCounts(joined: number, invited: number): Promise<void> {
    const what = `a summary of ${joined} joined and ${invited} invited members`;
    const fits = (body: JsonObject) => {
      const summary = at(room(body, "join", this.#roomId), "summary");
      this.#known = { ...this.#known, ...(isObject(summary) ? summary : {}) };
      const heroes = this.heroes();
      expectThat(!heroes.includes(this.#session.userId), "heroes without the caller", heroes);
      const counts = [this.#known["m.joined_member_count"], this.#known["m.invited_member_count"]];
      return counts[0] === joined && counts[1] === invited ? true : undefined;
    };
    const options = { filter: LAZY_ALL, deadlineMs: 5_000 };
    const { since } = await this.#session.syncUntil(this.#since, what, fits, options);
    this.#since = since;
  }

  heroes(): readonly unknown[] {
    const heroes = this.#known["m.heroes"];
    return heroes === undefined ? [] : [...listAt(this.#known, "m.heroes")].sort();
  }
}

check(
  "CS.sync.summary",
  "the server counts joined and invited members and names the others as heroes",
  {
    mutant: [
      ...["joined", "invited"].map((membership) =>
        altersAnswer(
          `counts the ${membership} members once and for all`,
          { path: SYNC, contains: "since=" },
          { remove: [`/rooms/join/*/summary/m.${membership}_member_count`] },
        ),
      ),
      altersAnswer(
        "has no heroes",
        { path: SYNC },
        { set: { "/rooms/join/*/summary/m.heroes": [] } },
      ),
      altersAnswer(
        "counts wrong",
        { path: SYNC },
        { set: { "/rooms/join/*/summary/m.joined_member_count": 7 } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie, dana] = await world.users("alice", "bob", "charlie", "dana");
    const invite = [bob.userId, charlie.userId];
    const roomId = await alice.createRoom({ preset: "private_chat", invite });
    const ofAlice = new Summary(alice, roomId);
    const ofBob = new Summary(bob, roomId);

    await ofAlice.untilCounts(1, 2);
    const heroes = ofAlice.heroes();
    await bob.join(roomId);
    await ofAlice.untilCounts(2, 1);
    await ofBob.untilCounts(2, 1);
    const heroesOfBob = ofBob.heroes();
    await alice.invite(roomId, dana);
    await ofAlice.untilCounts(2, 2);
    await charlie.leave(roomId);
    await ofAlice.untilCounts(2, 1);
    await dana.join(roomId);
    await ofAlice.untilCounts(3, 0);
    await alice.kick(roomId, dana);
    await ofAlice.untilCounts(2, 0);
    await ofBob.untilCounts(2, 0);

    expectEqual(heroes, [...invite].sort(), "the heroes for alice");
    expectEqual(heroesOfBob, [alice.userId, charlie.userId].sort(), "the heroes for bob");
  },
);
