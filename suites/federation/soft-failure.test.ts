import { at, listAt } from "#harness/match/json";
import { type Meeting, meet, message } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { ban, expectTopic, keeps, listed, member, topic } from "./rejection.ts";

const SECOND_MS = 1_000;

interface Parting extends Meeting {
  /** A further user of the peer in the room. */
  readonly charlie: string;
  /** What an event follows that does not know of the parting. */
  readonly before: readonly string[];
}

/** A room in which everybody may set the topic, which mallory has done, with charlie in it. */
async function gather(world: World, version: string): Promise<Parting> {
  const creation = { power_level_content_override: { state_default: 0 } };
  const meeting = await meet(world, { version, creation });
  const { alice, peer, room, mallory } = meeting;
  const charlie = peer.user("charlie");
  await peer.join(room.roomId, charlie, { via: alice.server.serverName });
  await peer.send(room, topic(mallory, "before"));
  await peer.fence(room, alice, { sender: charlie });
  return { ...meeting, charlie, before: room.extremities };
}

check(
  "FED.dag.soft-fail",
  "the server shows no events of a banned user that follow what was before the ban",
  {
    mutant: [
      keeps("takes the topic into the state", "m.room.topic", { topic: "late" }),
      altersAnswer(
        "shows the message",
        { method: "GET", path: "/_matrix/client/v3/sync" },
        { replace: [['"body":"after the ban"', '"body":"late"']] },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const parting = await gather(world, version);
      const { alice, peer, room, mallory, charlie, before } = parting;
      await ban(parting, charlie);
      const since = await alice.syncToken();

      const late = [
        room.build({ ...message(charlie, "late"), prevEvents: before }),
        room.build({ ...topic(charlie, "late"), prevEvents: before }),
      ];
      await peer.transmit(room, ...late);
      await peer.send(room, message(mallory, "after the ban"));
      const fence = await peer.fence(room, alice, { sender: mallory });
      const { bodies } = await alice.syncUntilEvent(since, room.roomId, fence.id);
      const sent = await alice.send(room.roomId, "after it");
      const { pdu } = await peer.waitForPdu(room, "the message", ({ id }) => id === sent);

      const shown = JSON.stringify(bodies);
      expectThat(!shown.includes("late"), "none of them in /sync", shown);
      const ids = late.map(({ id }) => id);
      const cited = listAt(pdu.json, "prev_events").filter((id) => ids.includes(String(id)));
      expectEqual(cited, [], "those that a later event follows");
      await expectTopic(parting, "before");
    }
  },
);

check(
  "FED.dag.soft-fail-served",
  "the server still answers with an event that it does not show",
  {
    mutant: altersAnswer(
      "does not know it any more",
      { from: "peer-*", path: "/_matrix/federation/v1/event/*" },
      { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
    ),
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const parting = await gather(world, version);
      const { alice, peer, room, mallory, charlie, before } = parting;
      await ban(parting, charlie);
      const late = room.build({ ...message(charlie, "late"), prevEvents: before });
      await peer.transmit(room, late);
      await peer.fence(room, alice, { sender: mallory });

      const response = await peer.client().event(late.id);

      const [served] = listAt(ok(response), "pdus");
      expectEqual(at(served, "content"), late.json.content, "the content", response);
    }
  },
);

/**
 * A topic that charlie sends without knowing of his parting, which comes to the server after that; a third server had it
 * before, and sends a message on top of both.
 */
async function cite(
  world: World,
  version: string,
  part: (parting: Parting) => Promise<unknown>,
): Promise<Parting> {
  const parting = await gather(world, version);
  const { alice, peer, room, charlie } = parting;
  const third = await world.peer({ prefix: "peer-third" });
  const witness = third.user("witness");
  const copy = await third.join(room.roomId, witness, { via: alice.server.serverName });
  const joined = copy.extremities[0] ?? "";
  await peer.waitForPdu(room, "the join", ({ id }) => id === joined);
  const before = room.extremities;
  const late = room.build({ ...topic(charlie, "late"), prevEvents: before });
  copy.add(late);

  await part(parting);
  const parted = room.extremities[0] ?? "";
  await third.waitForPdu(copy, "the parting", ({ id }) => id === parted);
  await peer.transmit(room, late);
  const fence = await peer.fence(room, alice, { sender: parting.mallory });
  copy.add(fence);
  await expectTopic(parting, "before");
  const both = copy.build({ ...message(witness, "on top"), prevEvents: [late.id, fence.id] });
  copy.add(both);
  await third.transmit(copy, both);
  await third.fence(copy, alice);
  await alice.event(room.roomId, both.id);
  const after = copy.build({ ...message(witness, "after it"), prevEvents: [both.id] });
  copy.add(after);
  await third.transmit(copy, after);
  await third.fence(copy, alice);

  const response = await third.client().stateIds(room.roomId, after.id);
  const expected = copy.find(after.id)?.before?.values() ?? [];
  const describe = (ids: Iterable<unknown>) =>
    Array.from(ids, (id) => {
      const json = copy.find(String(id))?.pdu.json;
      return `${json?.type} ${json?.state_key} ${id}`;
    }).sort();
  expectEqual(
    describe(listAt(ok(response), "pdu_ids")),
    describe(expected),
    `the state after the event in version ${version}`,
    response,
  );
  return parting;
}

const DROPS_IT = altersAnswer(
  "does not count it",
  { from: "peer-*", path: "/_matrix/federation/v1/state_ids/*" },
  { remove: ["/pdu_ids/0"] },
);

check(
  "FED.dag.soft-fail-cited",
  "the server takes an event that follows a ban and what it did not show for it",
  { mutant: DROPS_IT },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const parting = await cite(world, version, (found) => ban(found, found.charlie));

      // The ban comes first when the two are resolved, whatever the clocks say.
      await expectTopic(parting, "before");
    }
  },
);

check(
  "FED.dag.soft-fail-cited",
  "the server resolves what it did not show, once an event follows it",
  { mutant: [DROPS_IT, keeps("forgets the topic", "m.room.topic", { topic: "before" })] },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const parting = await cite(world, version, ({ peer, room, charlie }) =>
        peer.send(room, {
          ...member(charlie, charlie, "leave"),
          originServerTs: Date.now() + SECOND_MS,
        }),
      );

      // A leave of one's own is ordered by the clock like a topic, and the topic is older.
      await expectTopic(parting, "late");
    }
  },
);
