import { path } from "#harness/http/client";
import { meet } from "#harness/peer/meeting";
import type { PeerRoom } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { JsonObject } from "#protocol/events/event";
import {
  expectLevels,
  LEVELS,
  levelsOf,
  levelsWith,
  mapAt,
  powerLevels,
  READ_LEVELS,
  setLevels,
} from "./levels.ts";
import { allows } from "./mutants.ts";
import { listed, offer } from "./rejection.ts";

const PUT_LEVELS = `/_matrix/client/v3/rooms/*/state/${LEVELS}/**`;
const HIGH = "org.matrix-crucible.high";
const LOW = "org.matrix-crucible.low";
const SUPERIOR = "@superior:example.org";
const EQUAL = "@equal:example.org";
const INFERIOR = "@inferior:example.org";
const CHARLIE = "@charlie:example.org";

/** Levels under which a user of level 50 can change levels, with something above, beside and below him. */
function around(room: PeerRoom, moderator: string): JsonObject {
  return levelsWith(room, {
    users: { [moderator]: 50, [SUPERIOR]: 100, [EQUAL]: 50, [INFERIOR]: 10 },
    events: { [LEVELS]: 50, [HIGH]: 60, [LOW]: 50 },
    kick: 50,
    ban: 60,
    notifications: { room: 60 },
  });
}

/** What a moderator of level 50 may not make of these levels. */
function escalations(levels: JsonObject, moderator: string): readonly JsonObject[] {
  const withUsers = (users: JsonObject) => {
    return { ...levels, users: { ...mapAt(levels, "users"), ...users } };
  };
  const withEvents = (events: JsonObject) => {
    return { ...levels, events: { ...mapAt(levels, "events"), ...events } };
  };
  const without = (key: "users" | "events", name: string) => {
    const { [name]: _, ...rest } = mapAt(levels, key);
    return { ...levels, [key]: rest };
  };
  const { ban: _, ...withoutBan } = levels;
  return [
    withUsers({ [CHARLIE]: 51 }),
    withUsers({ [moderator]: 51 }),
    withUsers({ [INFERIOR]: 51 }),
    withUsers({ [EQUAL]: 49 }),
    withUsers({ [SUPERIOR]: 10 }),
    without("users", SUPERIOR),
    without("users", EQUAL),
    withEvents({ [HIGH]: 10 }),
    withEvents({ [LOW]: 60 }),
    withEvents({ "org.matrix-crucible.new": 60 }),
    without("events", HIGH),
    { ...levels, kick: 60 },
    { ...levels, ban: 50 },
    { ...levels, users_default: 51 },
    withoutBan,
  ];
}

/** What he may make of them, each on top of the one before. */
function permitted(levels: JsonObject, moderator: string): readonly JsonObject[] {
  const users = mapAt(levels, "users");
  const first = { ...levels, users: { ...users, [CHARLIE]: 50, [INFERIOR]: 50 } };
  const second = { ...first, kick: 10, events: { ...mapAt(levels, "events"), [LOW]: 10 } };
  const third = { ...second, users: { ...first.users, [moderator]: 40 } };
  return [first, second, third];
}

check(
  "FED.auth.pl-no-escalation",
  "the server refuses a client who changes levels above his own or those of his equals",
  { mutant: allows("checks the new value only", PUT_LEVELS) },
  async (world) => {
    const bob = await world.user("bob");
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { room } = meeting;
      await bob.join(room.roomId);
      const levels = around(room, bob.userId);
      await setLevels(meeting, levels);

      for (const wrong of escalations(levels, bob.userId)) {
        expectMatrixError(await put(bob, room, wrong), 403, "M_FORBIDDEN");
      }

      for (const right of permitted(levels, bob.userId)) ok(await put(bob, room, right));
    }
  },
);

check(
  "FED.auth.pl-no-escalation",
  "the server rejects power levels that change levels above the sender's or those of his equals",
  {
    mutant: [
      altersAnswer("takes a level above that of the sender", READ_LEVELS, {
        set: { "/users/@charlie:example.org": 51 },
      }),
      altersAnswer("lets nobody lower himself", READ_LEVELS, { set: { "/kick": 50 } }),
    ],
    deadlineMs: 120_000,
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { room, mallory } = meeting;
      const levels = around(room, mallory);
      await setLevels(meeting, levels);

      const wrong = escalations(levels, mallory);
      await offer(meeting, ...wrong.map((content) => room.build(powerLevels(mallory, content))));
      await expectLevels(meeting, levels);
      for (const right of permitted(levels, mallory)) {
        await offer(meeting, room.add(room.build(powerLevels(mallory, right))).pdu);
        await expectLevels(meeting, right);
      }
    }
  },
);

check(
  "FED.auth.pl-notifications",
  "the server guards the levels of notifications from version 6 on, and not before",
  {
    mutant: [
      altersAnswer("leaves them unguarded", READ_LEVELS, { set: { "/notifications/room": 10 } }),
      altersAnswer("guards them in version 5", READ_LEVELS, { set: { "/notifications/room": 60 } }),
    ],
  },
  async (world) => {
    for (const version of listed(world, "5", "6", "10", "12")) {
      const meeting = await meet(world, { version });
      const { room, mallory } = meeting;
      const levels = around(room, mallory);
      await setLevels(meeting, levels);
      const isGuarded = version !== "5";
      const lowered = { ...levels, notifications: { room: 10 } };
      const added = { ...levelsOf(room), notifications: { room: 60, own: 50 } };

      await offer(meeting, room.build(powerLevels(mallory, lowered)));
      await expectLevels(meeting, isGuarded ? levels : lowered);
      if (!isGuarded) continue;
      await offer(meeting, room.add(room.build(powerLevels(mallory, added))).pdu);
      await expectLevels(meeting, added);
    }
  },
);

check(
  "FED.auth.pl-notifications",
  "the server refuses a client who lowers a level of notifications above his own",
  { mutant: allows("leaves them unguarded", PUT_LEVELS) },
  async (world) => {
    const bob = await world.user("bob");
    for (const version of listed(world, "6", "10", "12")) {
      const meeting = await meet(world, { version });
      const { room } = meeting;
      await bob.join(room.roomId);
      const levels = around(room, bob.userId);
      await setLevels(meeting, levels);

      const refused = await put(bob, room, { ...levels, notifications: { room: 10 } });
      const allowed = await put(bob, room, { ...levels, notifications: { room: 60, own: 50 } });

      expectMatrixError(refused, 403, "M_FORBIDDEN");
      ok(allowed);
    }
  },
);

function put(session: Session, room: PeerRoom, levels: JsonObject) {
  const target = path`/_matrix/client/v3/rooms/${room.roomId}/state/${LEVELS}/`;
  return session.put(target, levels);
}
