import { path } from "#harness/http/client";
import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectStatus } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
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
import { expectTopic, keeps, listed, offer, topic } from "./rejection.ts";

const PUT_LEVELS = `/_matrix/client/v3/rooms/*/state/${LEVELS}/**`;
const OWN = "org.matrix-crucible.own";
const NAMED = [
  "kick",
  "ban",
  "redact",
  "invite",
  "events_default",
  "state_default",
  "users_default",
] as const;

/** These levels with one that is no integer, in each place that there is. */
function withoutInteger(levels: JsonObject, someone: string): readonly JsonObject[] {
  return [
    ...["50", true, null].map((value) => ({ ...levels, kick: value })),
    ...NAMED.map((name) => ({ ...levels, [name]: "50" })),
    { ...levels, users: { ...mapAt(levels, "users"), [someone]: "50" } },
    { ...levels, events: { ...mapAt(levels, "events"), [OWN]: "50" } },
    { ...levels, notifications: { room: "50" } },
    { ...levels, events: [] },
  ];
}

check(
  "FED.auth.pl-integers",
  "the server refuses a client's power levels that are no integers, from version 10 on",
  { mutant: allows("takes power levels that are strings", PUT_LEVELS) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const { alice, mallory, room } = await meet(world, { version });
      const target = path`/_matrix/client/v3/rooms/${room.roomId}/state/${LEVELS}/`;
      const levels = levelsWith(room, { users: { [mallory]: 50 } });

      for (const wrong of withoutInteger(levels, mallory)) {
        const refused = await alice.put(target, wrong);
        expectMatrixError(refused, [400, 403]);
      }

      expectStatus(await alice.put(target, levels), 200);
    }
  },
);

check(
  "FED.auth.pl-integers",
  "the server rejects power levels that are no integers, from version 10 on",
  {
    mutant: [
      altersAnswer("stores a string among the users", READ_LEVELS, {
        set: { "/users/@x:y": "50" },
      }),
      altersAnswer("stores a string for kicks", READ_LEVELS, { set: { "/kick": "50" } }),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { room, mallory } = meeting;
      await setLevels(meeting, levelsWith(room, { users: { [mallory]: 100 } }));
      const before = levelsOf(room);
      const wrong = withoutInteger(before, "@someone:example.org");
      const right = levelsWith(room, { users: { "@someone:example.org": 50 }, kick: 51 });

      await offer(meeting, ...wrong.map((levels) => room.build(powerLevels(mallory, levels))));
      await expectLevels(meeting, before);
      await offer(meeting, room.add(room.build(powerLevels(mallory, right))).pdu);
      await expectLevels(meeting, right);
    }
  },
);

check(
  "FED.auth.pl-strings-old",
  "the server takes power levels that are strings before version 10, and not from then on",
  {
    mutant: [
      keeps("does not count strings as levels", "m.room.topic", { topic: "before" }),
      altersAnswer("rejects strings", READ_LEVELS, { set: { "/users": {} } }),
      keeps("counts strings as more than they say", OWN, { by: "charlie" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, "5", "9", "10")) {
      const isTaken = version !== "10";
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const charlie = peer.user("charlie");
      await peer.join(room.roomId, charlie, { via: alice.server.serverName });
      await setLevels(meeting, levelsWith(room, { users: { [mallory]: 100 } }));
      const before = levelsOf(room);
      const levels = levelsWith(room, { users: { [charlie]: " +50 " }, events: { [OWN]: "51" } });
      const own = { type: OWN, stateKey: "", sender: charlie, content: { by: "charlie" } };

      await offer(meeting, room.add(room.build(topic(mallory, "before"))).pdu);
      await offer(meeting, room.add(room.build(powerLevels(mallory, levels))).pdu);
      await offer(meeting, room.build(topic(charlie, "after")), room.build(own));

      await expectLevels(meeting, isTaken ? levels : before);
      await expectTopic(meeting, isTaken ? "after" : "before");
      const content = await alice.state(room.roomId, OWN);
      expectEqual(content, undefined, `what needs 51 in version ${version}`);
    }
  },
);

check(
  "FED.auth.pl-users-valid",
  "the server rejects power levels whose users are no object or no user ids",
  { mutant: altersAnswer("stores the levels", READ_LEVELS, { set: { "/users": { bob: 50 } } }) },
  async (world) => {
    for (const version of listed(world, "5", "9", "10", "12")) {
      const meeting = await meet(world, { version });
      const { room, mallory } = meeting;
      await setLevels(meeting, levelsWith(room, { users: { [mallory]: 100 } }));
      const before = levelsOf(room);
      const wrong = [
        { ...before, users: [] },
        ...["bob", "@bob", "bob:example.org", "#bob:example.org"].map((key) =>
          levelsWith(room, { users: { [key]: 0 } }),
        ),
      ];
      const right = levelsWith(room, { users: { "@bob:example.org": 0 } });

      await offer(meeting, ...wrong.map((levels) => room.build(powerLevels(mallory, levels))));
      await expectLevels(meeting, before);
      await offer(meeting, room.add(room.build(powerLevels(mallory, right))).pdu);
      await expectLevels(meeting, right);
    }
  },
);

check(
  "FED.auth.pl-creator-listed",
  "the server refuses power levels of version 12 that name a creator",
  {
    mutant: [
      allows("takes a client's levels that name a creator", PUT_LEVELS),
      altersAnswer("stores levels that name a creator", READ_LEVELS, {
        set: { "/users/@a:b": 100 },
      }),
    ],
  },
  async (world) => {
    const additional = `@${world.name("creator")}:example.org`;
    const meeting = await meet(world, {
      version: "12",
      creation: { creation_content: { additional_creators: [additional] } },
    });
    const { alice, room, mallory } = meeting;
    await setLevels(meeting, levelsWith(room, { users: { [mallory]: 100 } }));
    const before = levelsOf(room);
    const wrong = [alice.userId, additional].map((creator) =>
      levelsWith(room, { users: { [creator]: 100 } }),
    );
    const right = levelsWith(room, { users: { "@another:example.org": 99 } });
    const target = path`/_matrix/client/v3/rooms/${room.roomId}/state/${LEVELS}/`;

    for (const levels of wrong) expectMatrixError(await alice.put(target, levels), [400, 403]);
    await offer(meeting, ...wrong.map((levels) => room.build(powerLevels(mallory, levels))));
    await expectLevels(meeting, before);
    await offer(meeting, room.add(room.build(powerLevels(mallory, right))).pdu);
    await expectLevels(meeting, right);
  },
);
