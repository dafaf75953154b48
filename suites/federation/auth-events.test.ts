import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { citedBy, expectTopic, keeps, listed, meetUnderTopic, offer, topic } from "./rejection.ts";

const TOPIC = "m.room.topic";
const FORGED = { topic: "forged" };

check(
  "FED.auth.auth-duplicates",
  "the server rejects an event with two auth events for one type and state key",
  { mutant: keeps("takes an event with two member events of its sender", TOPIC, FORGED) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meetUnderTopic(world, { version });
      const { peer, room, mallory } = meeting;
      const old = room.stateEvent("m.room.member", mallory)?.id ?? "";
      const content = { membership: "join", displayname: "Mallory" };
      await peer.send(room, { type: "m.room.member", stateKey: mallory, sender: mallory, content });
      const right = room.build(topic(mallory, "forged"));
      const forged = room.build({
        ...topic(mallory, "forged"),
        authEvents: [...citedBy(right), old],
      });

      await offer(meeting, forged);

      await expectTopic(meeting, "right");
    }
  },
);

check(
  "FED.auth.auth-unselected",
  "the server rejects an event with an auth event that the selection does not name",
  { mutant: keeps("takes an event that cites the history visibility", TOPIC, FORGED) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meetUnderTopic(world, { version });
      const { room, mallory } = meeting;
      const visibility = room.stateEvent("m.room.history_visibility")?.id ?? "";
      const right = room.build(topic(mallory, "forged"));
      const forged = room.build({
        ...topic(mallory, "forged"),
        authEvents: [...citedBy(right), visibility],
      });

      await offer(meeting, forged);

      await expectTopic(meeting, "right");
    }
  },
);

check(
  "FED.auth.auth-create-cited-v12",
  "the server rejects an event of version 12 that cites the create event",
  { mutant: keeps("takes an event that cites the create event", TOPIC, FORGED) },
  async (world) => {
    const meeting = await meetUnderTopic(world, { version: "12" });
    const { room, mallory } = meeting;
    const right = room.build(topic(mallory, "forged"));
    const forged = room.build({
      ...topic(mallory, "forged"),
      authEvents: [`$${room.roomId.slice(1)}`, ...citedBy(right)],
    });

    await offer(meeting, forged);

    await expectTopic(meeting, "right");
  },
);

check(
  "FED.auth.auth-create-missing",
  "the server rejects an event of versions 1 to 11 that does not cite the create event",
  { mutant: keeps("takes an event that does not cite the create event", TOPIC, FORGED) },
  async (world) => {
    for (const version of listed(world, "10", "11")) {
      const meeting = await meetUnderTopic(world, { version });
      const { room, mallory } = meeting;
      const create = room.stateEvent("m.room.create")?.id;
      const right = room.build(topic(mallory, "forged"));
      const forged = room.build({
        ...topic(mallory, "forged"),
        authEvents: citedBy(right).filter((id) => id !== create),
      });

      await offer(meeting, forged);

      await expectTopic(meeting, "right");
    }
  },
);

check(
  "FED.auth.auth-rejected-parent",
  "the server rejects an event that cites a rejected auth event",
  {
    mutant: [
      keeps("takes an event that cites rejected power levels", TOPIC, FORGED),
      keeps("takes the power levels", "m.room.power_levels", {}),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meetUnderTopic(world, { version });
      const { alice, room, mallory } = meeting;
      const levels = room.stateEvent("m.room.power_levels");
      const rejected = room.build({
        type: "m.room.power_levels",
        stateKey: "",
        sender: mallory,
        content: { ...levels?.content, users: { ...usersOf(levels?.content), [mallory]: 100 } },
      });
      const right = room.build(topic(mallory, "forged"));
      const forged = room.build({
        ...topic(mallory, "forged"),
        authEvents: citedBy(right).map((id) => (id === levels?.id ? rejected.id : id)),
      });

      await offer(meeting, rejected, forged);

      await expectTopic(meeting, "right");
      const found = await alice.state(room.roomId, "m.room.power_levels");
      expectEqual(found, levels?.content, `the power levels in version ${version}`);
    }
  },
);

check(
  "FED.auth.auth-other-room",
  "the server rejects an event that cites an event of another room",
  { mutant: keeps("takes an event that cites state of another room", TOPIC, FORGED) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meetUnderTopic(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const otherId = await alice.createRoom({ preset: "public_chat", room_version: version });
      const other = await peer.join(otherId, mallory, { via: alice.server.serverName });
      const right = room.build(topic(mallory, "forged"));
      const pairs = ["", mallory].map((stateKey) => {
        const type = stateKey === "" ? "m.room.power_levels" : "m.room.member";
        return [room, other].map((from) => from.stateEvent(type, stateKey)?.id ?? "");
      });
      const forged = pairs.map(([own, foreign = ""]) =>
        room.build({
          ...topic(mallory, "forged"),
          authEvents: citedBy(right).map((id) => (id === own ? foreign : id)),
        }),
      );

      await offer(meeting, ...forged);

      await expectTopic(meeting, "right");
    }
  },
);

function usersOf(content: { readonly [key: string]: unknown } | undefined) {
  return (content?.users ?? {}) as Readonly<Record<string, number>>;
}
