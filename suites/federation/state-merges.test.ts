/** Branches of a room of the peer, and what is left of them where they meet. */
import { createHash } from "node:crypto";
import { listAt } from "#harness/match/json";
import { message } from "#harness/peer/meeting";
import type { Pdu } from "#harness/peer/pdu";
import type { Peer } from "#harness/peer/peer";
import type { Draft, PeerRoom } from "#harness/peer/room";
import { stateShown } from "#harness/peer/room-state";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { listed, member, topic } from "./rejection.ts";
import { shows } from "./state-stories.ts";

const MINUTE_MS = 60_000;

interface Fork {
  readonly alice: Session;
  readonly peer: Peer;
  readonly founder: string;
  readonly room: PeerRoom;
}

/** A public room of the peer that a user of the server has joined. */
async function found(world: World, version: string): Promise<Fork> {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const founder = peer.user("founder");
  const room = peer.createRoom({ creator: founder, version });
  peer.serve(room);
  await join(alice, peer, room);
  return { alice, peer, founder, room };
}

async function join(user: Session, peer: Peer, room: PeerRoom): Promise<void> {
  const query = { via: peer.serverName, server_name: peer.serverName };
  ok(await user.post(`/_matrix/client/v3/join/${encodeURIComponent(room.roomId)}`, {}, query));
}

/** Adds what was built beside each other, and tells the servers in this order. */
async function send(peer: Peer, room: PeerRoom, ...pdus: readonly Pdu[]): Promise<void> {
  for (const pdu of pdus) {
    room.add(pdu);
    await peer.transmit(room, pdu);
  }
}

function rules(sender: string, mark: string): Draft {
  const content = { join_rule: "public", "org.matrix-crucible.mark": mark };
  return { type: "m.room.join_rules", stateKey: "", sender, content };
}

function sha1(id: string): string {
  return createHash("sha1").update(id).digest("hex");
}

check(
  "FED.stateres.v1-order",
  "the server keeps the topic and the join rules with the least hash of those with equal depth, whatever the clocks",
  { mutant: shows("keeps the topic with the later clock", "m.room.topic", { topic: "later" }) },
  async (world) => {
    world.needs("room-version:1");
    const { alice, peer, founder, room } = await found(world, "1");
    const makers = [topic, rules];

    for (const make of makers) {
      for (const isWinnerFirst of [true, false]) {
        const now = Date.now();
        const prevEvents = room.extremities;
        const build = (text: string, originServerTs: number) =>
          room.build({ ...make(founder, text), prevEvents, originServerTs });
        const later = build("later", now);
        let earlier = build("earlier", now - MINUTE_MS);
        // Ids are random here.
        while (sha1(earlier.id) > sha1(later.id)) earlier = build("earlier", now - MINUTE_MS);
        await send(peer, room, ...(isWinnerFirst ? [earlier, later] : [later, earlier]));
        await peer.fence(room, alice);

        const { type, content } = earlier.json;
        const what = `the ${type} of least hash, told ${isWinnerFirst ? "first" : "last"}`;
        expectEqual(room.stateEvent(String(type))?.id, earlier.id, `by the oracle, ${what}`);
        expectEqual(await alice.state(room.roomId, String(type)), content, what);
      }
    }
  },
);

check(
  "FED.stateres.v1-order",
  "the server keeps the topic and the join rules with the greater depth, whatever the clocks",
  { mutant: shows("keeps the topic with the later clock", "m.room.topic", { topic: "flat" }) },
  async (world) => {
    world.needs("room-version:1");
    const { alice, peer, founder, room } = await found(world, "1");

    for (const make of [topic, rules]) {
      const now = Date.now();
      const prevEvents = room.extremities;
      const flat = room.build({ ...make(founder, "flat"), prevEvents, originServerTs: now });
      const step = room.build({ ...message(founder, "beside it"), prevEvents });
      room.add(step);
      const deep = room.build({
        ...make(founder, "deep"),
        prevEvents: [step.id],
        originServerTs: now - MINUTE_MS,
      });
      await send(peer, room, step, deep, flat);
      await peer.fence(room, alice);

      const { type, content } = deep.json;
      expectEqual(room.stateEvent(String(type))?.id, deep.id, `the ${type} by the oracle`);
      expectEqual(await alice.state(room.roomId, String(type)), content, `the ${type}`);
    }
  },
);

check(
  "FED.stateres.single-set",
  "the server keeps all that branches agree on",
  { mutant: shows("loses what nobody changed", "m.room.name", null) },
  async (world) => {
    for (const version of listed(world, "6", "10", "12")) {
      const { alice, peer, founder, room } = await found(world, version);
      const name = { type: "m.room.name", stateKey: "", sender: founder, content: { name: "n" } };
      await peer.send(room, name);
      await peer.send(room, topic(founder, "before"));
      await peer.fence(room, alice);
      const before = await stateShown(alice, room.roomId);
      const beside = () => {
        const prevEvents = room.extremities;
        return (draft: Draft) => room.build({ ...draft, prevEvents });
      };

      const first = beside();
      await send(
        peer,
        room,
        first(message(founder, "beside it")),
        first(message(founder, "beside it")),
      );
      await peer.fence(room, alice);
      const afterMessages = await stateShown(alice, room.roomId);
      const second = beside();
      await send(peer, room, second(topic(founder, "one")), second(topic(founder, "two")));
      await peer.fence(room, alice);
      const afterTopics = new Map(await stateShown(alice, room.roomId));

      expectEqual(afterMessages, before, `the state after messages in version ${version}`);
      const key = [...before.keys()].find((slot) => slot.startsWith("m.room.topic")) ?? "";
      afterTopics.set(key, before.get(key) ?? "");
      expectEqual(afterTopics, before, `the state without the topic in version ${version}`);
      const content = await alice.state(room.roomId, "m.room.name");
      expectEqual(content?.name, "n", `the name in version ${version}`);
    }
  },
);

check(
  "FED.stateres.idempotent",
  "the servers agree on the state after branches that came to each in another order",
  {
    mutant: altersAnswer(
      "one of them leaves an event out",
      { from: "peer-*", to: "hs2", path: "/_matrix/federation/v1/state_ids/*" },
      { remove: ["/pdu_ids/-1"] },
    ),
  },
  async (world) => {
    const bob = await world.user("bob", "hs2");
    for (const version of listed(world, "6", "10", "12")) {
      const { alice, peer, founder, room } = await found(world, version);
      await join(bob, peer, room);
      const [mod, charlie] = [peer.user("moderator"), peer.user("charlie")];
      const levels = (level: number): Draft => ({
        type: "m.room.power_levels",
        stateKey: "",
        sender: founder,
        content: { users: { ...(version === "12" ? {} : { [founder]: 100 }), [mod]: level } },
      });
      for (const draft of [
        member(mod, mod, "join"),
        member(charlie, charlie, "join"),
        levels(50),
      ]) {
        await peer.send(room, draft);
      }
      await Promise.all([peer.fence(room, alice), peer.fence(room, bob)]);
      const start = room.extremities;
      const branch = (...drafts: readonly Draft[]) => {
        room.extremities = start;
        return drafts.map((draft) => room.add(room.build(draft)).pdu);
      };
      const one = branch(topic(mod, "one"), member(mod, charlie, "ban"), rules(mod, "one"));
      const two = branch(levels(0), topic(founder, "two"), rules(founder, "two"));
      const tips = [one, two].flatMap((pdus) => pdus.at(-1)?.id ?? []);
      const [hs1, hs2] = [peer.client(), peer.client(bob.server.serverName)];

      for (const pdu of [...one, ...two]) ok(await hs1.send([pdu]));
      for (const pdu of [...two, ...one]) ok(await hs2.send([pdu]));
      const merge = room.build({ ...message(founder, "beside it"), prevEvents: tips });
      room.add(merge);
      room.extremities = [merge.id];
      const after = room.build(message(founder, "beside it"));
      room.add(after);
      await peer.transmit(room, merge, after);
      await peer.fence(room, alice);
      await peer.fence(room, bob);

      const oracle = new Set(room.find(after.id)?.before?.values());
      for (const client of [hs1, hs2]) {
        const response = await client.stateIds(room.roomId, after.id);
        const ids = new Set(listAt(ok(response), "pdu_ids"));
        expectEqual(ids, oracle, `the state on ${client.serverName} in ${version}`, response);
      }
    }
  },
);
