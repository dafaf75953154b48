import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { versionOf } from "#harness/peer/found";
import { expectUnknown, type Meeting, meet, message } from "#harness/peer/meeting";
import { PeerRoom } from "#harness/peer/room";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { shows } from "./mutants.ts";
import {
  agrees,
  expectMembership,
  expectTopic,
  keeps,
  listed,
  meetUnderTopic,
  member,
  offer,
  peerUsers,
  putLevels,
  topic,
} from "./rejection.ts";

const TOPIC = "m.room.topic";
const ALIASES = "m.room.aliases";
const FORGED = { topic: "forged" };

check(
  "FED.auth.sender-joined",
  "the server rejects messages and topics by users who left, who are only invited, or never came",
  { mutant: [keeps("lets outsiders set the topic", TOPIC, FORGED), shows("shows messages", {})] },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const levels = { state_default: 0, invite: 0 };
      const creation = { power_level_content_override: levels };
      const meeting = await meetUnderTopic(world, { version, creation });
      const { alice, peer, room, mallory } = meeting;
      const [left, invited, stranger] = peerUsers(peer, "left", "invited", "stranger");
      await peer.join(room.roomId, left, { via: alice.server.serverName });
      await peer.send(room, member(left, left, "leave"));
      await peer.send(room, member(mallory, invited, "invite"));

      const outsiders = [left, invited, stranger];
      const messages = outsiders.map((user) => room.build(message(user, "from outside")));
      await offer(
        meeting,
        ...messages,
        ...outsiders.map((user) => room.build(topic(user, "forged"))),
      );

      for (const { id } of messages) await expectUnknown(alice, room, id);
      await expectTopic(meeting, "right");
    }
  },
);

check(
  "FED.auth.room-id-matches-create",
  "the server rejects events of version 12 in rooms that no create event made",
  {
    mutant: [
      keeps("attaches them to the room that they cite", TOPIC, FORGED),
      shows("shows the message", {}),
      altersAnswer(
        "makes a room of it",
        { path: "/_matrix/client/v3/joined_rooms" },
        { replace: [['["!', '["!phantom","!']] },
      ),
    ],
  },
  async (world) => {
    const meeting = await meetUnderTopic(world, { version: listed(world, "12")[0] ?? "" });
    const { alice, peer, room, mallory } = meeting;
    const ordinary = await peer.send(room, message(mallory, "ordinary"));
    const phantoms = [`!${ordinary.id.slice(1)}`, `!${"A".repeat(43)}`];
    const forged = phantoms.flatMap((roomId) =>
      [message(mallory, "forged"), topic(mallory, "forged")].map((draft) =>
        room.build({ ...draft, roomId }),
      ),
    );

    const response = await peer.client(alice.server.serverName).send(forged);
    await peer.fence(room, alice);

    expectStatus(response, 200);
    for (const { id } of forged) await expectUnknown(alice, room, id);
    await expectTopic(meeting, "right");
    for (const [index, roomId] of phantoms.entries()) {
      const id = forged[index * 2]?.id ?? "";
      const target = path`/_matrix/client/v3/rooms/${roomId}/event/${id}`;
      expectMatrixError(await alice.get(target), [403, 404]);
    }
    const joined = await alice.get("/_matrix/client/v3/joined_rooms");
    expectEqual(at(joined.json, "joined_rooms"), [room.roomId], "the rooms", joined);
  },
);

/** A public room and a join to it, by a peer that has heard of its state but is not in it. */
async function uninvited(
  world: World,
  { alice, peer }: Meeting,
  { version, isFederated }: { readonly version: string; readonly isFederated: boolean },
) {
  const roomId = await alice.createRoom({
    preset: "public_chat",
    room_version: version,
    creation_content: { "m.federate": isFederated },
  });
  const response = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
  const ids = new Map<unknown, string>();
  for (const event of response.json as readonly unknown[]) {
    ids.set(at(event, "type"), String(at(event, "event_id")));
  }
  const cited = ["m.room.create", "m.room.power_levels", "m.room.join_rules"].slice(
    versionOf(version).isRoomIdHash ? 1 : 0,
  );
  const room = new PeerRoom({
    version: versionOf(version),
    roomId,
    signer: peer.keys,
    nextName: (prefix) => world.name(prefix),
  });
  const user = peer.user("foreigner");
  const join = room.build({
    ...member(user, user, "join"),
    prevEvents: [await alice.send(roomId, "last")],
    authEvents: cited.map((type) => ids.get(type) ?? ""),
    depth: 20,
  });
  return { room, user, join };
}

check(
  "FED.auth.no-federate",
  "the server takes nobody of another server into a room that is not federated",
  {
    mutant: [
      agrees("offers a join", "/_matrix/federation/v1/make_join/**"),
      agrees("takes the join", "/_matrix/federation/v2/send_join/**"),
      keeps("takes the PDU", "m.room.member", { membership: "join" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer } = meeting;
      const { room, user, join } = await uninvited(world, meeting, { version, isFederated: false });
      const control = await uninvited(world, meeting, { version, isFederated: true });
      const client = peer.client(alice.server.serverName);

      const made = await client.makeJoin(room.roomId, user);
      const sent = await client.sendJoin(room.roomId, join);
      const response = await client.send([join]);
      // Of another room, since the peer is not in this one.
      await peer.fence(meeting.room, alice);
      ok(await client.sendJoin(control.room.roomId, control.join));

      expectMatrixError(made, [403, 404]);
      const isRefused = sent.status >= 400 && sent.status < 500;
      expectThat(isRefused, "status 4xx", `status ${sent.status}`, sent);
      expectStatus(response, [200, 403]);
      await expectMembership({ ...meeting, room }, user, undefined);
    }
  },
);

/** Sends aliases under a state key, and returns what the server then has there. */
async function aliasesOf(
  meeting: Meeting,
  sender: string,
  stateKey: string,
): Promise<string | undefined> {
  const { alice, peer, room, mallory } = meeting;
  const alias = `#${sender.slice(1)}`;
  const pdu = room.build({ type: ALIASES, stateKey, sender, content: { aliases: [alias] } });
  room.add(pdu);
  await peer.transmit(room, pdu);
  await peer.fence(room, alice, { sender: mallory });
  const found = at(await alice.state(room.roomId, ALIASES, stateKey), "aliases", 0);
  return found === alias ? "taken" : found === undefined ? undefined : String(found);
}

check(
  "FED.auth.aliases-before-v6",
  "the server takes aliases of version 5 by anybody of the domain that is their state key",
  {
    mutant: [
      keeps("takes any aliases", ALIASES, { aliases: ["#other:example.org"] }),
      keeps("takes no aliases", ALIASES, {}),
    ],
  },
  async (world) => {
    for (const version of listed(world, "1", "5")) {
      const meeting = await meet(world, { version });
      const { peer, mallory } = meeting;
      const stranger = peer.user("stranger");

      const found = [
        await aliasesOf(meeting, mallory, peer.serverName),
        await aliasesOf(meeting, stranger, peer.serverName),
        await aliasesOf(meeting, mallory, "other.example.org"),
      ];

      const expected = ["taken", "taken", undefined];
      expectEqual(found, expected, `aliases by a member, a stranger, for others, in ${version}`);
    }
  },
);

check(
  "FED.auth.aliases-before-v6",
  "the server takes aliases for ordinary state from version 6 on",
  {
    mutant: [
      keeps("takes any aliases", ALIASES, { aliases: ["#other:example.org"] }),
      keeps("takes no aliases", ALIASES, {}),
    ],
  },
  async (world) => {
    for (const version of listed(world, "6", "12")) {
      const meeting = await meet(world, { version });
      const { peer, mallory } = meeting;
      const other = "other.example.org";

      const before = [
        await aliasesOf(meeting, mallory, peer.serverName),
        await aliasesOf(meeting, mallory, other),
      ];
      await putLevels(meeting, { users: { [mallory]: 50 } });
      const after = await aliasesOf(meeting, mallory, other);

      expectEqual(before, [undefined, undefined], `aliases without the level in ${version}`);
      expectEqual(after, "taken", `aliases of another domain with the level in ${version}`);
    }
  },
);
