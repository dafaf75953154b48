import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { changed, refused } from "#harness/peer/lies";
import type { Pdu } from "#harness/peer/pdu";
import type { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { cutOff, impostor } from "./handshake.ts";
import { keeps, listed, member } from "./rejection.ts";

const SEND_JOIN = "PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}";
const JOIN = { path: "/_matrix/client/v3/join/*" };

function join(alice: Session, room: PeerRoom, ...via: readonly Peer[]) {
  const names = via.map(({ serverName }) => serverName);
  return alice.post(
    path`/_matrix/client/v3/join/${room.roomId}`,
    {},
    { via: names, server_name: names },
  );
}

check(
  "FED.hs.join-fallback",
  "the server joins by another server when the first can not be reached",
  {
    mutant: altersAnswer("gives up", JOIN, {
      status: 502,
      body: { errcode: "M_UNKNOWN", error: "" },
    }),
  },
  async (world) => {
    const [alice, away, peer] = await Promise.all([
      world.user("alice"),
      world.peer(),
      world.peer(),
    ]);
    const room = peer.createRoom({ creator: peer.user("founder") });
    peer.serve(room);
    const cut = await cutOff(world, away);

    ok(await join(alice, room, away, peer));

    expectEqual(room.membershipOf(alice.userId), "join", "the membership in the room");
    if ((await cut.fired()) === 0) world.note("the server did not try the first server at all");
  },
);

check(
  "FED.hs.join-fallback",
  "the server joins by another server when the first fails",
  {
    mutant: altersAnswer("gives up", JOIN, {
      status: 502,
      body: { errcode: "M_UNKNOWN", error: "" },
    }),
  },
  async (world) => {
    const [alice, broken, peer] = await Promise.all([
      world.user("alice"),
      world.peer(),
      world.peer(),
    ]);
    const failing = broken.on(
      "GET /_matrix/federation/v1/make_join/{roomId}/{userId}",
      refused(500, "M_UNKNOWN"),
    );
    const room = peer.createRoom({ creator: peer.user("founder") });
    peer.serve(room);

    ok(await join(alice, room, broken, peer));

    expectEqual(room.membershipOf(alice.userId), "join", "the membership in the room");
    if (failing.calls === 0) world.note("the server did not ask the first server at all");
  },
);

/** Joins by an answer of send_join with an event that has no place there, in the place of another or beside all. */
async function joinByLie(
  world: World,
  { alice, peer, room }: Hosted,
  forged: Pdu,
): Promise<"joined" | "failed"> {
  const { type, state_key } = forged.json;
  const isReplaced = (event: unknown) =>
    at(event, "type") === type && at(event, "state_key") === state_key;
  const lie = changed(({ state, ...body }) => ({
    ...body,
    state: [...(state as unknown[]).filter((event) => !isReplaced(event)), forged.json],
  }));
  using handler = peer.on(SEND_JOIN, lie);

  const response = await join(alice, room, peer);

  expectThat(handler.calls > 0, "a request send_join", response.status, response);
  if (response.status === 200) return "joined";
  expectThat(response.status >= 400, "a join or an error", response.status, response);
  world.note("the join failed as a whole");
  return "failed";
}

interface Hosted {
  readonly alice: Session;
  readonly peer: Peer;
  readonly room: PeerRoom;
  readonly founder: string;
}

async function hosted(world: World, version: string): Promise<Hosted> {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const founder = peer.user("founder");
  const events = [{ type: "m.room.topic", stateKey: "", content: { topic: "right" } }];
  const room = peer.createRoom({ creator: founder, version, events });
  peer.serve(room);
  return { alice, peer, room, founder };
}

async function expectRestOfState({ alice, room }: Hosted): Promise<void> {
  const content = await alice.state(room.roomId, "m.room.topic");
  expectEqual(content?.topic, "right", "the topic, which is right");
}

check(
  "FED.hs.join-verifies-state",
  "the server drops an event with a wrong signature from the state that it joins by",
  { mutant: keeps("takes it on trust", "m.room.member", { membership: "join" }) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const host = await hosted(world, version);
      const { alice, peer, room } = host;
      const ghost = peer.user("ghost");
      const forged = room.build({ ...member(ghost, ghost, "join"), signers: [impostor(peer)] });

      const outcome = await joinByLie(world, host, forged);

      if (outcome === "failed") continue;
      const content = await alice.state(room.roomId, "m.room.member", ghost);
      expectEqual(content, undefined, `the member with a wrong signature in version ${version}`);
      await expectRestOfState(host);
    }
  },
);

check(
  "FED.hs.join-verifies-state",
  "the server drops power levels that the rules reject from the state that it joins by",
  { mutant: keeps("takes it on trust", "m.room.power_levels", { users_default: 100 }) },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const host = await hosted(world, version);
      const { alice, peer, room } = host;
      const intruder = peer.user("intruder");
      room.add(room.build(member(intruder, intruder, "join")));
      const forged = room.build({
        type: "m.room.power_levels",
        stateKey: "",
        sender: intruder,
        content: { users_default: 100 },
      });

      const outcome = await joinByLie(world, host, forged);

      if (outcome === "failed") continue;
      const content = await alice.state(room.roomId, "m.room.power_levels");
      const level = content?.users_default;
      expectThat(level !== 100, `no levels of the intruder in version ${version}`, content);
      await expectRestOfState(host);
    }
  },
);
