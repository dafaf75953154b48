import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { answer, refusal } from "#harness/peer/answer";
import type { Signer } from "#harness/peer/keys";
import { type Meeting, meet } from "#harness/peer/meeting";
import { type Pdu, sign } from "#harness/peer/pdu";
import type { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import { timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { isObject, type JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { publicKeyOf } from "#protocol/events/signatures";
import { allows } from "./mutants.ts";
import { listed } from "./rejection.ts";

const POLICY = "m.room.policy";
const KEY_ID = "ed25519:policy_server";
const SIGN = "POST /_matrix/policy/v1/sign";
const SIGN_PATH = "/_matrix/policy/v1/sign";
const REFUSED = "org.matrix-crucible.refused";

/** A room with a policy server, which refuses all events of one type and signs all others, and with another server. */
interface Policed extends Meeting {
  readonly policy: Peer;
  /** What the policy server signs by. */
  readonly signer: Signer;
  /** Of the policy server, in the room. */
  readonly officer: string;
  /** Content of m.room.policy. */
  readonly content: JsonObject;
  /** Ids of the events that the policy server has been asked about. */
  readonly asked: () => readonly string[];
}

async function police(world: World, version: string): Promise<Policed> {
  const meeting = await meet(world, { version });
  const { alice, peer, room } = meeting;
  const policy = await world.peer({ prefix: "policy" });
  const signer = {
    serverName: policy.serverName,
    key: { ...policy.keys.another(), id: KEY_ID },
  };
  const asked: string[] = [];
  policy.on(SIGN, ({ json }) => {
    if (!isObject(json)) return refusal(400, "M_BAD_JSON");
    const event = json as JsonObject;
    asked.push(eventId(event, room.version));
    if (event.type === REFUSED) return refusal(400, "M_FORBIDDEN", "no policy for it");
    return answer(signatureOf(event, room, signer));
  });
  const officer = policy.user("officer");
  await policy.join(room.roomId, officer, { via: alice.server.serverName });
  const content = {
    via: policy.serverName,
    public_keys: { ed25519: publicKeyOf(signer.key.secret) },
  };
  const id = await alice.setState(room.roomId, POLICY, content);
  await peer.waitForPdu(room, POLICY, (pdu) => pdu.id === id);
  // Servers ask policy servers ahead of v1.18, which no flag tells.
  await alice.send(room.roomId, "asked about");
  if (asked.length === 0) world.needs("v1.18");
  return { ...meeting, policy, signer, officer, content, asked: () => asked };
}

/** The signature of the policy server, as it answers it and as events bear it. */
function signatureOf(event: JsonObject, { version }: PeerRoom, signer: Signer): JsonObject {
  const { signatures } = sign({ ...event, signatures: {} }, version, signer);
  return signatures as JsonObject;
}

const NEVER_ASKS: Mutant = claims("does not ask", { to: "policy-*", path: SIGN_PATH }, {});

/** An event reaches the other server with the signature of the policy server. */
async function expectSigned(
  { peer, room, signer }: Policed,
  fits: (pdu: Pdu) => boolean,
): Promise<void> {
  const { pdu } = await peer.waitForPdu(room, "the event", fits);
  const expected = signatureOf(pdu.json, room, signer)[signer.serverName];
  const found = at(pdu.json, "signatures", signer.serverName);
  const what = `the signature of the policy server on ${pdu.json.type}`;
  expectEqual(found, expected, `${what} in version ${room.version.id}`);
}

check(
  "FED.policy.ask",
  "the server asks the policy server of a room for a signature before it sends an event",
  { mutant: NEVER_ASKS },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const policed = await police(world, version);
      const { alice, peer, room, policy, officer, content, asked } = policed;

      const signed = [
        await alice.send(room.roomId, "message"),
        await alice.setState(room.roomId, "m.room.topic", { topic: "topic" }),
        await alice.setState(room.roomId, POLICY, { note: "not the policy" }, "other"),
      ];
      const again = await alice.setState(room.roomId, POLICY, { ...content, note: "again" });
      await policy.leave(room.roomId, officer, { via: alice.server.serverName });
      const unsigned = [again, await alice.send(room.roomId, "without a policy server")];

      for (const id of signed) await expectSigned(policed, (pdu) => pdu.id === id);
      for (const id of unsigned) {
        await peer.waitForPdu(room, `event ${id}`, (received) => received.id === id);
        expectThat(!asked().includes(id), `no request to sign ${id}`, asked());
      }
    }
  },
);

check(
  "FED.policy.ask",
  "the server asks the policy server about changes of membership as well",
  { mutant: NEVER_ASKS },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const policed = await police(world, version);
      const { alice, room } = policed;
      const bob = await world.user("bob");
      const isMember = (membership: string) => (pdu: Pdu) =>
        pdu.json.state_key === bob.userId && at(pdu.json, "content", "membership") === membership;

      await bob.join(room.roomId);
      await expectSigned(policed, isMember("join"));
      await alice.kick(room.roomId, bob);
      await expectSigned(policed, isMember("leave"));
    }
  },
);

check(
  "FED.policy.refused",
  "the server neither sends nor shows an event that the policy server refuses to sign",
  {
    mutant: [
      allows("takes a client's event all the same", "/_matrix/client/v3/rooms/*/send/**"),
      altersAnswer(
        "shows another server's event all the same",
        { path: "/_matrix/client/v3/sync" },
        { set: { "/rooms/join/*/timeline/events/-1/type": REFUSED } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const { alice, peer, room, mallory, policy, signer, asked } = await police(world, version);
      const since = await alice.syncToken();
      const forger = { ...signer, key: { ...policy.keys.another(), id: KEY_ID } };
      const event = { type: REFUSED, sender: mallory };
      const build = (n: number, ...signers: readonly Signer[]) =>
        room.build({ ...event, content: { n }, signers: [peer.keys, ...signers] });
      const refused = [build(1), build(2, forger)];
      const { pdu: signed } = room.add(build(3, signer));

      const target = path`/_matrix/client/v3/rooms/${room.roomId}/send/${REFUSED}/1`;
      const response = await alice.put(target, { n: 0 });
      await peer.transmit(room, ...refused, signed);
      await peer.fence(room, alice);
      const last = await alice.send(room.roomId, "last");
      await peer.waitForPdu(room, "the last message", ({ id }) => id === last);
      const { bodies } = await alice.syncUntilEvent(since, room.roomId, last);

      expectMatrixError(response, 400, "M_FORBIDDEN");
      const received = peer.pdus.items.filter(({ pdu }) => pdu.json.type === REFUSED);
      expectEqual(received, [], "what the other server gets of it");
      const shown = bodies
        .flatMap((body) => timeline(body, room.roomId))
        .filter(({ type }) => type === REFUSED);
      const ids = shown.map(({ event_id }) => event_id);
      expectEqual(ids, [signed.id], `the events of the type in version ${version}`);
      for (const { id } of refused) {
        expectThat(asked().includes(id), `a request to sign ${id}`, asked());
      }
    }
  },
);
