import type { Rewrite } from "#harness/gateway/rule";
import { type HttpResponse, path } from "#harness/http/client";
import { changed } from "#harness/peer/lies";
import type { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import { isOfRoute } from "#harness/peer/routes";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { isObject, type JsonObject } from "#protocol/events/event";
import { listed } from "./rejection.ts";

type Change = "join" | "leave" | "knock";
type Lie = (event: JsonObject) => JsonObject;

const SENDS: Readonly<Record<Change, string>> = {
  join: "PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}",
  leave: "PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}",
  knock: "PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}",
};

/** Templates that the asking server has to discard, but for those with another membership. */
function lies(peer: Peer): Readonly<Record<string, Lie>> {
  const other = peer.user("other");
  return {
    "another room": (event) => ({ ...event, room_id: `!other:${peer.serverName}` }),
    "another sender": (event) => ({ ...event, sender: other }),
    "another state key": (event) => ({ ...event, state_key: other }),
    "another type": (event) => ({ ...event, type: "m.room.power_levels" }),
  };
}

/** A server that overlooks a lie: what it hears is the truth again. */
function overlooks(change: Change, what: string, set: Rewrite["set"]): Mutant {
  const match = { to: "peer-*", path: `/_matrix/federation/v1/make_${change}/**` };
  return altersAnswer(`overlooks another ${what}`, match, { set: { ...set } });
}

const anyType = (change: Change) => overlooks(change, "type", { "/event/type": "m.room.member" });
const anyMembership = (change: Change) =>
  overlooks(change, "membership", { "/event/content/membership": change });

interface Attempt {
  readonly alice: Session;
  readonly peer: Peer;
  readonly room: PeerRoom;
}

/** What became of a request of alice, and of what the peer was sent meanwhile. */
async function attempt(
  { peer }: Attempt,
  change: Change,
  lie: Lie,
  ask: () => Promise<HttpResponse>,
): Promise<{ readonly response: HttpResponse; readonly sent: number }> {
  const before = peer.requests.items.length;
  using _ = peer.on(
    `GET /_matrix/federation/v1/make_${change}/{roomId}/{userId}`,
    changed((body) => ({
      ...body,
      event: isObject(body.event) ? lie(body.event) : body.event,
    })),
  );
  const response = await ask();
  const since = peer.requests.items.slice(before);
  const asked = since.filter(({ path: target }) => target.includes(`/make_${change}/`));
  expectThat(asked.length > 0, `a request make_${change}`, asked);
  return { response, sent: since.filter((request) => isOfRoute(request, SENDS[change])).length };
}

async function host(world: World, joinRule: string, version: string): Promise<Attempt> {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const room = peer.createRoom({ creator: peer.user("founder"), version, joinRule });
  peer.serve(room);
  return { alice, peer, room };
}

function ask({ alice, peer, room }: Attempt, change: "join" | "knock") {
  const via = peer.serverName;
  const target =
    change === "join"
      ? path`/_matrix/client/v3/join/${room.roomId}`
      : path`/_matrix/client/v3/knock/${room.roomId}`;
  return alice.post(target, {}, { via, server_name: via });
}

/** Joins or knocks by templates that lie, which has to fail, and by one that does not. */
async function expectDiscarded(
  world: World,
  change: "join" | "knock",
  lyingTemplates: (peer: Peer) => Readonly<Record<string, Lie>>,
): Promise<void> {
  for (const version of listed(world, "10", "12")) {
    const situation = await host(world, change === "join" ? "public" : "knock", version);
    const { alice, room, peer } = situation;

    for (const [what, lie] of Object.entries(lyingTemplates(peer))) {
      const { response, sent } = await attempt(situation, change, lie, () =>
        ask(situation, change),
      );
      expectThat(response.status >= 400, `an error for ${what}`, response.status, response);
      expectEqual(sent, 0, `send_${change} after a template with ${what}`, response);
    }

    ok(await ask(situation, change));
    expectEqual(room.membershipOf(alice.userId), change, "the membership by a right template");
  }
}

const anotherMembership = () => ({
  "another membership": (event: JsonObject) => ({ ...event, content: { membership: "leave" } }),
});

check(
  "FED.hs.make-join-template",
  "the server discards a template that is not for this join",
  { mutant: anyType("join") },
  (world) => expectDiscarded(world, "join", lies),
);

check(
  "FED.hs.make-join-template",
  "the server discards a template of make_join with another membership",
  { mutant: anyMembership("join") },
  (world) => expectDiscarded(world, "join", anotherMembership),
);

check(
  "FED.hs.make-join-template",
  "the server discards a template that is not for this knock",
  { mutant: anyType("knock") },
  (world) => expectDiscarded(world, "knock", lies),
);

check(
  "FED.hs.make-join-template",
  "the server discards a template of make_knock with another membership",
  { mutant: anyMembership("knock") },
  (world) => expectDiscarded(world, "knock", anotherMembership),
);

/** Declines invites by templates that lie, which tells the peer nothing, and by one that does not. */
async function expectNoLeave(
  world: World,
  lyingTemplates: (peer: Peer) => Readonly<Record<string, Lie>>,
): Promise<void> {
  for (const version of listed(world, "10", "12")) {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const founder = peer.user("founder");
    const invite = async () => {
      const room = peer.createRoom({ creator: founder, version });
      peer.serve(room);
      await peer.invite(room, founder, alice.userId);
      return { alice, peer, room };
    };
    const decline = (roomId: string) => () =>
      alice.post(path`/_matrix/client/v3/rooms/${roomId}/leave`);

    // Whether the client hears of it is another matter: the server may make do with a leave that nobody else knows.
    for (const [what, lie] of Object.entries(lyingTemplates(peer))) {
      const situation = await invite();
      const { sent, response } = await attempt(
        situation,
        "leave",
        lie,
        decline(situation.room.roomId),
      );
      expectEqual(sent, 0, `send_leave after a template with ${what}`, response);
    }

    const { room } = await invite();
    ok(await decline(room.roomId)());
    await world.eventually(() =>
      expectEqual(room.membershipOf(alice.userId), "leave", "the membership by a right template"),
    );
  }
}

check(
  "FED.hs.make-join-template",
  "the server discards a template that is not for this leave",
  { mutant: anyType("leave") },
  (world) => expectNoLeave(world, lies),
);

check(
  "FED.hs.make-join-template",
  "the server discards a template of make_leave with another membership",
  { mutant: anyMembership("leave") },
  (world) =>
    expectNoLeave(world, () => ({
      "another membership": (event) => ({ ...event, content: { membership: "join" } }),
    })),
);
