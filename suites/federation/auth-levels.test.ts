import { path } from "#harness/http/client";
import { expectUnknown, meet, message, visit } from "#harness/peer/meeting";
import type { Draft } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { JsonObject } from "#protocol/events/event";
import { levelsWith, setLevels } from "./levels.ts";
import { allows, shows } from "./mutants.ts";
import { expectMembership, expectTopic, keeps, listed, member, offer, topic } from "./rejection.ts";

const ROOM = "/_matrix/client/v3/rooms/*";
const TOPIC = "m.room.topic";
const MESSAGE = "m.room.message";
const NOTE = "org.matrix-crucible.note";
const OWN = "org.matrix-crucible.own";

interface Case {
  readonly levels: JsonObject & { readonly events: JsonObject };
  readonly isAllowed: boolean;
}

/** What a member of level 0 may do with a type. */
function casesOf(type: string, byDefault: "state_default" | "events_default"): readonly Case[] {
  return [
    { levels: { [byDefault]: 10, events: {} }, isAllowed: false },
    { levels: { [byDefault]: 0, events: {} }, isAllowed: true },
    { levels: { [byDefault]: 10, events: { [type]: 0 } }, isAllowed: true },
    { levels: { [byDefault]: 0, events: { [type]: 10 } }, isAllowed: false },
  ];
}

check(
  "FED.auth.required-level",
  "the server asks of a client the level for the type of event, or else the default",
  {
    mutant: [
      allows("lets anybody set the topic", `${ROOM}/state/${TOPIC}/**`),
      allows("lets anybody send messages", `${ROOM}/send/**`),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const requests = [
      [`state/${TOPIC}/`, { levels: { events: {} }, isAllowed: false }],
      ...casesOf(TOPIC, "state_default").map((item) => [`state/${TOPIC}/`, item] as const),
      [`send/${MESSAGE}/1`, { levels: { events: {} }, isAllowed: true }],
      ...casesOf(MESSAGE, "events_default").map((item) => [`send/${MESSAGE}/1`, item] as const),
    ] as const;

    for (const [target, { levels, isAllowed }] of requests) {
      const creation = { preset: "public_chat", power_level_content_override: levels };
      const roomId = await alice.createRoom(creation);
      await bob.join(roomId);
      const url = `${path`/_matrix/client/v3/rooms/${roomId}`}/${target}`;

      const response = await bob.put(url, { topic: "bob's", msgtype: "m.text", body: "bob's" });

      if (isAllowed) ok(response);
      else expectMatrixError(response, 403, "M_FORBIDDEN");
    }
  },
);

check(
  "FED.auth.required-level",
  "the server asks of a state event the level for its type, or else state_default",
  {
    mutant: [
      keeps("takes the topic of a user without the level", TOPIC, { topic: "2" }),
      keeps("ignores a level of 0 for the type", TOPIC, { topic: "right" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { room, mallory } = meeting;
      let shown = "right";
      await setLevels(meeting, levelsWith(room, { users: { [mallory]: 50 } }));
      await offer(meeting, room.add(room.build(topic(mallory, shown))).pdu);

      for (const [index, { levels, isAllowed }] of casesOf(TOPIC, "state_default").entries()) {
        await setLevels(meeting, { ...levelsWith(room, { users: { [mallory]: 0 } }), ...levels });
        const pdu = room.build(topic(mallory, `${index}`));
        if (isAllowed) {
          shown = `${index}`;
          room.add(pdu);
        }
        await offer(meeting, pdu);

        await expectTopic(meeting, shown);
      }
    }
  },
);

check(
  "FED.auth.required-level",
  "the server asks of a message the level for its type, or else events_default",
  {
    mutant: [
      shows("shows a message of a user without the level", { n: 0 }),
      altersAnswer(
        "refuses messages of a type whose level is 0",
        { method: "GET", path: `${ROOM}/event/*` },
        { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, room, mallory } = meeting;

      for (const [n, { levels, isAllowed }] of casesOf(NOTE, "events_default").entries()) {
        const events = { ...levels.events, [MESSAGE]: 0 };
        await setLevels(meeting, { ...levelsWith(room, {}), ...levels, events });
        const pdu = room.build({ type: NOTE, sender: mallory, content: { n } });
        if (isAllowed) room.add(pdu);
        await offer(meeting, pdu);

        if (!isAllowed) await expectUnknown(alice, room, pdu.id);
        else expectEqual((await alice.event(room.roomId, pdu.id)).content.n, n, "the content");
      }
    }
  },
);

check(
  "FED.auth.no-power-levels",
  "the server lets only the creator set state and kick in a room without power levels",
  {
    mutant: [
      keeps("lets everybody set state", TOPIC, { topic: "of a member" }),
      keeps("lets not even the creator set state", TOPIC, { topic: "" }),
      keeps("lets members kick each other", "m.room.member", { membership: "leave" }),
      keeps("lets nobody invite", "m.room.member", { membership: "join" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await visit(world, { version, powerLevels: null });
      const { alice, peer, room, mallory: creator } = meeting;
      const [plain, other, invited] = ["plain", "other", "invited"].map((name) => peer.user(name));
      const url = path`/_matrix/client/v3/rooms/${room.roomId}`;
      for (const user of [plain, other])
        await peer.send(room, member(`${user}`, `${user}`, "join"));
      await peer.send(room, topic(creator, "of the creator"));

      await offer(
        meeting,
        room.build(topic(`${plain}`, "of a member")),
        room.build(member(`${plain}`, `${other}`, "leave")),
      );
      const sent = await peer.send(room, message(`${plain}`, "of a member"));
      await peer.send(room, member(`${plain}`, `${invited}`, "invite"));
      await peer.fence(room, alice, { sender: `${plain}` });
      const refused = await alice.put(`${url}/state/${TOPIC}/`, { topic: "of a client" });

      expectMatrixError(refused, 403, "M_FORBIDDEN");
      await expectTopic(meeting, "of the creator");
      await expectMembership(meeting, `${other}`, "join");
      await expectMembership(meeting, `${invited}`, "invite");
      const event = await alice.event(room.roomId, sent.id);
      expectEqual(event.content.body, "of a member", "the body of the message");
      await alice.send(room.roomId, "of a client");
      await peer.send(room, member(creator, `${other}`, "leave"));
      await peer.fence(room, alice);
      await expectMembership(meeting, `${other}`, "leave");
    }
  },
);

check(
  "FED.auth.state-key-user",
  "the server lets a client set state under a user id only if it is its own",
  { mutant: allows("lets users write state in the name of others", `${ROOM}/state/${OWN}/**`) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ preset: "public_chat", room_version: version });
      await bob.join(roomId);
      const url = path`/_matrix/client/v3/rooms/${roomId}`;

      const refused = await alice.put(`${url}${path`/state/${OWN}/${bob.userId}`}`, {
        by: "alice",
      });
      const allowed = await alice.put(`${url}${path`/state/${OWN}/${alice.userId}`}`, {});

      expectMatrixError(refused, 403, "M_FORBIDDEN");
      ok(allowed);
    }
  },
);

check(
  "FED.auth.state-key-user",
  "the server rejects state under the id of another user than its sender, whatever his level",
  {
    mutant: [
      keeps("takes state in the name of others", OWN, { by: "mallory" }),
      altersAnswer(
        "takes nothing under a user id",
        { method: "GET", path: `${ROOM}/state/${OWN}/*`, status: 200 },
        { body: {} },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      await setLevels(meeting, levelsWith(room, { users: { [mallory]: 100 } }));
      const own = (stateKey: string): Draft => {
        return { type: OWN, stateKey, sender: mallory, content: { by: "mallory" } };
      };
      const forged = [alice.userId, peer.user("other"), "@", "@nobody"];

      await offer(meeting, ...forged.map((stateKey) => room.build(own(stateKey))));
      await peer.send(room, own(mallory));
      await peer.fence(room, alice);

      for (const stateKey of forged) {
        const content = await alice.state(room.roomId, OWN, stateKey);
        expectEqual(content, undefined, `the state under ${stateKey} in version ${version}`);
      }
      const content = await alice.state(room.roomId, OWN, mallory);
      expectEqual(content, { by: "mallory" }, `the state under the own id in version ${version}`);
    }
  },
);
