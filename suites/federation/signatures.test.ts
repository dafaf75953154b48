import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { EVENT, expectUnknown, meet, message, SEND } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, refuses } from "#harness/world/mutants";

check(
  "FED.sig.event-unsigned-dropped",
  "the server drops an event whose signature is wrong",
  {
    mutant: [
      altersAnswer(
        "shows a message that was signed wrongly",
        { path: EVENT, status: 404 },
        { status: 200, body: { type: "m.room.message", content: {} } },
      ),
    ],
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const forged = room.build({
      ...message(mallory, "forged"),
      afterSign: (event) => ({
        ...event,
        signatures: { [peer.serverName]: forgedSignature(event) },
      }),
    });

    const answers = await peer.transmit(room, forged);
    await peer.fence(room, alice);

    for (const response of answers.values()) expectStatus(response, 200);
    await expectUnknown(alice, room, forged.id);
  },
);

check(
  "FED.sig.hash-mismatch-redacts",
  "the server redacts an event whose content hash is wrong, and takes what follows it",
  {
    mutant: [
      altersAnswer(
        "shows the changed body",
        { path: EVENT },
        { set: { "/content/body": "changed" } },
      ),
      refuses("drops the event", { path: EVENT }, 404, "M_NOT_FOUND"),
    ],
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const changed = room.build({
      ...message(mallory, "as hashed"),
      afterHash: (event) => ({ ...event, content: { msgtype: "m.text", body: "changed" } }),
    });
    room.add(changed, { isRejected: false });

    await peer.transmit(room, changed);
    // Stands on top of it, so it is seen only when the event before it was taken.
    await peer.fence(room, alice);

    const event = await alice.event(room.roomId, changed.id);
    expectEqual(event.content, {}, "the content of the event");
  },
);

check(
  "FED.sig.request-auth",
  "the server refuses requests without a valid authorization, and keeps nothing of them",
  {
    mutant: altersAnswer(
      "takes any transaction",
      { from: "peer-*", path: SEND, status: [401, 403] },
      { status: 200, body: { pdus: {} } },
    ),
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const client = peer.client(alice.server.serverName);
    const pdus = ["unsigned", "unknown key", "another body"].map((body) =>
      room.build(message(mallory, body)),
    );
    const [unsigned, unknownKey, anotherBody] = pdus;

    const responses = [
      await client.send(unsigned === undefined ? [] : [unsigned], [], { header: () => null }),
      await client.send(unknownKey === undefined ? [] : [unknownKey], [], {
        key: peer.keys.another(),
      }),
      await client.send(anotherBody === undefined ? [] : [anotherBody], [], {
        signedContent: { pdus: [] },
      }),
    ];
    await peer.fence(room, alice);

    for (const response of responses) {
      expectMatrixError(response, [401, 403], ["M_UNAUTHORIZED", "M_FORBIDDEN"]);
    }
    for (const { id } of pdus) await expectUnknown(alice, room, id);
  },
);

check(
  "FED.sig.destination",
  "the server refuses a request that was signed for another server",
  {
    mutant: altersAnswer(
      "takes a replayed request",
      { from: "peer-*", path: "/_matrix/federation/v1/query/profile", status: 401 },
      { status: 200, body: {} },
    ),
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const client = peer.client(alice.server.serverName);
    const target = "/_matrix/federation/v1/query/profile";
    const query = { user_id: alice.userId };

    const right = await client.request("GET", target, { query });
    const replayed = await client.request("GET", target, {
      query,
      auth: { destination: "other.example" },
    });

    ok(right);
    expectStatus(replayed, 401);
  },
);

check(
  "FED.sig.destination-sent",
  "the server names the destination in each request, and signs all of it",
  {
    mutant: altersRequest(
      "names another destination",
      { to: "peer-*", path: "/_matrix/federation/v1/query/directory" },
      {
        headers: {
          authorization: 'X-Matrix origin="a",destination="b",key="ed25519:c",sig="d"',
        },
      },
    ),
  },
  async (world) => {
    const { alice, peer, room } = await meet(world);
    peer.on("GET /_matrix/federation/v1/query/directory", () => ({
      status: 404,
      json: { errcode: "M_NOT_FOUND", error: "no such alias" },
    }));

    await alice.get(path`/_matrix/client/v3/directory/room/${`#none:${peer.serverName}`}`);
    const sent = await alice.send(room.roomId, "to all");
    await peer.waitForPdu(room, "the message", ({ id }) => id === sent);

    // That each signature verifies over method, uri, origin, destination and content is what every peer asks.
    const signed = peer.requests.items.filter(({ authorization }) => authorization !== undefined);
    expectThat(signed.length >= 2, "signed requests", signed.length);
    for (const { authorization, uri } of signed) {
      expectEqual(authorization?.destination, peer.serverName, `the destination of ${uri}`);
      expectEqual(authorization?.origin, alice.server.serverName, `the origin of ${uri}`);
    }
  },
);

/** The signatures of a server with one byte of each changed. */
function forgedSignature(event: { readonly [key: string]: unknown }): Record<string, string> {
  const [signatures = {}] = Object.values(at(event, "signatures") ?? {}) as Record<
    string,
    string
  >[];
  return Object.fromEntries(
    Object.entries(signatures).map(([key, signature]) => [
      key,
      `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`,
    ]),
  );
}
