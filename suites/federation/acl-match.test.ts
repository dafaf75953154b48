import type { HttpResponse } from "#harness/http/client";
import { at } from "#harness/match/json";
import { expectUnknown, message } from "#harness/peer/meeting";
import type { Pdu } from "#harness/peer/pdu";
import type { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import type { JsonObject } from "#protocol/events/event";
import { host, joinThrough } from "./founding.ts";
import { hostOf, refusesAs, refusesNothing } from "./handshake.ts";

const STATE_IDS = "/_matrix/federation/v1/state_ids/**";

interface Guarded {
  readonly room: PeerRoom;
  readonly founder: string;
  readonly acl: Pdu;
}

/** A room of the peer in which this ACL has come into force: the peer itself sends it, since no server has to let it pass. */
async function guard(
  world: World,
  alice: Session,
  peer: Peer,
  content: JsonObject,
): Promise<Guarded> {
  const room = host(peer);
  ok(await joinThrough(alice, peer, room));
  const [founder = ""] = room.joinedUsers(peer.serverName);
  const acl = await peer.send(room, {
    type: "m.room.server_acl",
    stateKey: "",
    sender: founder,
    content,
  });
  await world.eventually(async () => {
    const state = await alice.state(room.roomId, "m.room.server_acl");
    expectEqual(state, content, "the ACL in force");
  });
  return { room, founder, acl };
}

/** Whether the peer is let in: GET /state_ids is answered with 403, or with 200. */
async function isLetIn(
  alice: Session,
  peer: Peer,
  { room, acl }: Guarded,
): Promise<{ readonly isAllowed: boolean; readonly response: HttpResponse }> {
  const response = await peer.client(alice.server.serverName).stateIds(room.roomId, acl.id);
  if (response.status !== 200) expectMatrixError(response, 403, "M_FORBIDDEN");
  return { isAllowed: response.status === 200, response };
}

check(
  "FED.hs.acl-match",
  "the server denies what a pattern of deny matches, or none of allow does",
  { mutant: refusesNothing("lets everybody in", STATE_IDS) },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const name = hostOf(peer);
    // The name of a peer has a port, which counts for nothing here.
    const denying: readonly JsonObject[] = [
      { allow: ["*"], deny: [name] },
      { allow: ["*"], deny: [name.toUpperCase()] },
      { allow: ["*"], deny: ["other.example", "peer-*"] },
      { allow: ["*"], deny: [`${name.slice(0, -1)}?`] },
      { allow: ["*"], deny: [`*${name.slice(5)}`] },
      { allow: [name], deny: [name] },
      { allow: ["other.example"], deny: [] },
      { allow: [] },
      { deny: ["other.example"] },
    ];

    for (const content of denying) {
      const guarded = await guard(world, alice, peer, content);
      // A server may show the state a moment before it acts by it.
      await world.eventually(async () => {
        const { isAllowed, response } = await isLetIn(alice, peer, guarded);
        expectThat(!isAllowed, `${JSON.stringify(content)} to deny ${name}`, "200", response);
      });
    }
  },
);

check(
  "FED.hs.acl-match",
  "the server lets in whom no pattern of deny matches and one of allow does",
  { mutant: refusesAs("lets nobody in", STATE_IDS, 200, 403, "M_FORBIDDEN") },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const name = hostOf(peer);
    const allowing: readonly JsonObject[] = [
      { allow: ["*"] },
      { allow: [name], deny: [] },
      { allow: [name.toUpperCase()], deny: ["other.example"] },
      { allow: ["peer-????????"] },
      { allow: ["*"], deny: [`${name}?`, `?${name}`] },
      { allow: ["*"], deny: [name.slice(0, -1), name.slice(1)] },
      { allow: ["*"], deny: [`${name}:8448`, peer.serverName] },
      // No pattern is a regular expression, or a set of characters.
      { allow: ["*"], deny: [name.replace("-", "."), ".*", `[a-z]${name.slice(1)}`] },
    ];

    for (const content of allowing) {
      const { isAllowed, response } = await isLetIn(
        alice,
        peer,
        await guard(world, alice, peer, content),
      );
      expectThat(isAllowed, `${JSON.stringify(content)} to let ${name} in`, "403", response);
    }
    const open = host(peer);
    ok(await joinThrough(alice, peer, open));
    const [joined = ""] = open.extremities;
    ok(await peer.client(alice.server.serverName).stateIds(open.roomId, joined));
  },
);

check(
  "FED.hs.acl-ip-literal",
  "the server denies a server that is named by an address, and its PDUs, where the ACL says so",
  {
    mutant: [
      altersAnswer(
        "takes no notice of it",
        { from: "198.*", path: STATE_IDS, status: 403 },
        { status: 200, body: {} },
      ),
      altersAnswer(
        "takes its PDUs",
        { from: "198.*", path: "/_matrix/federation/v1/send/*" },
        { remove: ["/pdus/*/error"] },
      ),
    ],
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer({ kind: "address" })]);
    const content = { allow: ["*"], allow_ip_literals: false };
    const { room, founder, acl } = await guard(world, alice, peer, content);
    const client = peer.client(alice.server.serverName);
    const pdu = room.build(message(founder, "from an address"));

    const refused = await client.stateIds(room.roomId, acl.id);
    const sent = await client.send([pdu]);

    expectMatrixError(refused, 403, "M_FORBIDDEN");
    const error = at(ok(sent), "pdus", pdu.id, "error");
    expectThat(typeof error === "string", `an error for ${pdu.id}`, sent.json, sent);
    await expectUnknown(alice, room, pdu.id);
  },
);

check(
  "FED.hs.acl-ip-literal",
  "the server takes an allow_ip_literals that is missing or no boolean for true",
  {
    mutant: altersAnswer(
      "takes it for false",
      { from: "198.*", path: STATE_IDS },
      { status: 403, body: { errcode: "M_FORBIDDEN", error: "" } },
    ),
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer({ kind: "address" })]);
    const allowing: readonly JsonObject[] = [
      { allow: ["*"] },
      { allow: ["*"], allow_ip_literals: true },
      { allow: ["*"], allow_ip_literals: "false" },
      { allow: ["*"], allow_ip_literals: 0 },
      { allow: ["*"], allow_ip_literals: null },
    ];

    for (const content of allowing) {
      const { isAllowed, response } = await isLetIn(
        alice,
        peer,
        await guard(world, alice, peer, content),
      );
      expectThat(isAllowed, `${JSON.stringify(content)} to let it in`, "403", response);
    }
  },
);
