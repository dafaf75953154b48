import { path } from "#harness/http/client";
import type { Pdu } from "#harness/peer/pdu";
import type { Draft, PeerRoom } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

const STATE = "/_matrix/client/v3/rooms/*/state";
/** With version 2 of the algorithm, and with 2.1. */
const VERSIONS = ["10", "12"];
const MINUTE_MS = 60_000;

/** @throws Unsupported when the server has none of them. */
function versionsOf(world: World): readonly string[] {
  const versions = VERSIONS.filter((id) => world.has(`room-version:${id}`));
  if (versions.length === 0) world.needs(`room-version:${VERSIONS[0]}`);
  return versions;
}

interface Merged {
  readonly alice: Session;
  readonly room: PeerRoom;
  readonly charlie: string;
}

/**
 * A room in which the founder demotes a moderator, while the moderator, by his clock a minute before, acts on a branch
 * that has not seen it. The server gets the act first, and then what merges both.
 */
async function merge(
  world: World,
  version: string,
  act: (moderator: string, charlie: string) => Draft,
): Promise<Merged> {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const founder = peer.user("founder");
  const moderator = peer.user("moderator");
  const charlie = peer.user("charlie");
  const member = (user: string) => ({
    type: "m.room.member",
    stateKey: user,
    sender: user,
    content: { membership: "join" },
  });
  const room = peer.createRoom({ creator: founder, version });
  const levels = (level: number): Draft => ({
    type: "m.room.power_levels",
    stateKey: "",
    sender: founder,
    content: {
      users: { ...(version === "12" ? {} : { [founder]: 100 }), [moderator]: level },
    },
  });
  const drafts: readonly Draft[] = [
    member(moderator),
    member(charlie),
    levels(50),
    { type: "m.room.topic", stateKey: "", sender: founder, content: { topic: "before" } },
  ];
  for (const draft of drafts) room.add(room.build(draft));
  peer.serve(room);
  ok(
    await alice.post(
      path`/_matrix/client/v3/join/${room.roomId}`,
      {},
      { server_name: peer.serverName, via: peer.serverName },
    ),
  );

  const prevEvents = room.extremities;
  const now = Date.now();
  const branches: readonly Pdu[] = [
    room.build({ ...act(moderator, charlie), prevEvents, originServerTs: now - MINUTE_MS }),
    room.build({ ...levels(0), prevEvents, originServerTs: now }),
  ];
  for (const branch of branches) {
    room.add(branch);
    await peer.transmit(room, branch);
  }
  await peer.fence(room, alice, { sender: founder });
  return { alice, room, charlie };
}

check(
  "FED.stateres.power-before-ts",
  "the server lets a demotion undo an earlier ban that had not seen it",
  {
    mutant: altersAnswer(
      "keeps the ban, which is older",
      { path: `${STATE}/m.room.member/*` },
      { set: { "/membership": "ban" } },
    ),
  },
  async (world) => {
    for (const version of versionsOf(world)) {
      const { alice, room, charlie } = await merge(world, version, (sender, stateKey) => ({
        type: "m.room.member",
        stateKey,
        sender,
        content: { membership: "ban" },
      }));

      const member = await alice.state(room.roomId, "m.room.member", charlie);

      expectEqual(member?.membership, "join", `the membership in version ${version}`);
      expectEqual(room.membershipOf(charlie), "join", `that of the oracle in ${version}`);
    }
  },
);

check(
  "FED.stateres.power-before-others",
  "the server lets a demotion undo an earlier topic that had not seen it",
  {
    mutant: altersAnswer(
      "keeps the topic, which is older",
      { path: `${STATE}/m.room.topic/*` },
      { set: { "/topic": "by the moderator" } },
    ),
  },
  async (world) => {
    for (const version of versionsOf(world)) {
      const { alice, room } = await merge(world, version, (sender) => ({
        type: "m.room.topic",
        stateKey: "",
        sender,
        content: { topic: "by the moderator" },
      }));

      const topic = await alice.state(room.roomId, "m.room.topic");

      expectEqual(topic?.topic, "before", `the topic in version ${version}`);
      const oracle = room.stateEvent("m.room.topic")?.content.topic;
      expectEqual(oracle, "before", `that of the oracle in ${version}`);
    }
  },
);
