import { at, isObject, listAt } from "#harness/match/json";
import { refusal } from "#harness/peer/answer";
import { held, late, times } from "#harness/peer/lies";
import { meet, message, SEND } from "#harness/peer/meeting";
import type { Peer } from "#harness/peer/peer";
import { isOfRoute } from "#harness/peer/routes";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { sendToDevice } from "./to-device.ts";

const ROUTE = "PUT /_matrix/federation/v1/send/{txnId}";
const DEVICE = "DEVICE";

/** How much each transaction had that came to the peer, and was answered or not. */
function sizes(peer: Peer, key: "pdus" | "edus"): readonly number[] {
  return peer.requests.items
    .filter((request) => isOfRoute(request, ROUTE))
    .map(({ json }) => (at(json, key) === undefined ? 0 : listAt(json, key).length));
}

/** Texts of the to-device messages that came to the peer. */
function notes(peer: Peer, recipient: string): readonly unknown[] {
  return peer.edus.items.flatMap(({ edu_type, content }) =>
    edu_type === "m.direct_to_device"
      ? (at(content, "messages", recipient, DEVICE, "text") ?? [])
      : [],
  );
}

/** Waits until the peer has had these to-device messages. */
async function allNotes(peer: Peer, recipient: string, count: number): Promise<void> {
  await peer.waitForEdu(
    "m.direct_to_device",
    () => new Set(notes(peer, recipient)).size === count,
    { deadlineMs: 25_000 },
  );
}

function numbered(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${index}`);
}

/** Ten at a time, so that none waits for long. */
async function inTens(texts: readonly string[], act: (text: string) => Promise<unknown>) {
  for (let done = 0; done < texts.length; done += 10) {
    await Promise.all(texts.slice(done, done + 10).map(act));
  }
}

const SENDS_TOO_MUCH = (key: string, count: number) => ({
  name: `sends ${count} ${key} at once`,
  rules: [
    {
      match: { from: "hs1", to: "peer-*", path: SEND },
      phase: "before" as const,
      action: {
        kind: "rewrite" as const,
        set: { [`/${key}`]: Array.from({ length: count }, () => ({})) },
      },
      times: 1,
    },
  ],
});

check(
  "FED.txn.sender-limits",
  "the server sends no more than 50 PDUs and 100 EDUs at once, however much has piled up",
  {
    mutant: [SENDS_TOO_MUCH("pdus", 51), SENDS_TOO_MUCH("edus", 101)],
    deadlineMs: 120_000,
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const cut = held();
    peer.on(ROUTE, times(1, cut.handler));

    await alice.send(room.roomId, "the one that is not answered yet");
    await inTens(numbered(120), (text) => alice.send(room.roomId, text));
    await inTens(numbered(250), (text) => sendToDevice(alice, mallory, DEVICE, text));
    cut.release();
    const last = await alice.send(room.roomId, "last");
    await peer.waitForPdu(room, "the last message", ({ id }) => id === last, {
      deadlineMs: 25_000,
    });
    await allNotes(peer, mallory, 250);

    expectThat(Math.max(...sizes(peer, "pdus")) <= 50, "at most 50 PDUs", sizes(peer, "pdus"));
    expectThat(Math.max(...sizes(peer, "edus")) <= 100, "at most 100 EDUs", sizes(peer, "edus"));
  },
);

check(
  "FED.txn.serial",
  "the server has one transaction at a time on its way, and forgets none that failed",
  {
    mutant: [
      {
        name: "sends a transaction twice at a time",
        rules: [
          {
            match: { from: "hs1", to: "peer-*", path: SEND },
            phase: "after",
            action: { kind: "duplicate" },
          },
        ],
      },
      {
        name: "forgets what failed",
        rules: [
          {
            match: { from: "hs1", to: "peer-*", path: SEND },
            phase: "before",
            action: { kind: "answer", status: 200, body: { pdus: {} } },
            times: 3,
          },
        ],
      },
    ],
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    let inFlight = 0;
    let most = 0;
    let failsUntil: number | undefined;
    const attempts: { readonly id: string; readonly hasFailed: boolean }[] = [];
    peer.on(ROUTE, (_, { parameter, next }) => {
      failsUntil ??= Date.now() + 5_000;
      const hasFailed = Date.now() < failsUntil;
      attempts.push({ id: parameter("txnId"), hasFailed });
      return hasFailed ? refusal(500, "M_UNKNOWN") : next();
    });
    peer.on(ROUTE, async (request, context) => {
      most = Math.max(most, ++inFlight);
      try {
        return await late(150)(request, context);
      } finally {
        inFlight--;
      }
    });

    const ids: string[] = [];
    for (const text of numbered(15)) {
      ids.push(await alice.send(room.roomId, text));
      await sendToDevice(alice, mallory, DEVICE, text);
    }
    const end = await world.eventually(() => {
      expectThat(failsUntil !== undefined, "a transaction that fails", "none");
      return failsUntil;
    });
    await world.quietPeriod(Math.max(0, end - Date.now()));
    // Tells a server that waits before it tries again that the peer is back.
    await peer.send(room, message(mallory, "back again"));
    const last = await alice.send(room.roomId, "last");
    await peer.waitForPdu(room, "the last message", ({ id }) => id === last);
    await allNotes(peer, mallory, 15);

    expectEqual(most, 1, "the number of transactions on their way at a time");
    const changes = attempts.filter(
      ({ hasFailed, id }, index) => hasFailed && attempts[index + 1]?.id !== id,
    );
    if (changes.length > 0) world.note("a failed transaction came again under another id");
    // What is behind the latest event, a server may leave to be asked for.
    const came = peer.pdus.items.map(({ pdu }) => pdu.id);
    const missing = await peer.client().missingEvents(room.roomId, [], [last], { limit: 20 });
    const asked = listAt(ok(missing), "events").flatMap((json) =>
      isObject(json) ? eventId(json as JsonObject, room.version) : [],
    );
    const lost = ids.filter((id) => !came.includes(id) && !asked.includes(id));
    expectEqual(lost, [], "the messages that were lost");
  },
);

check(
  "FED.txn.order",
  "the server sends each PDU after those that it follows",
  {
    mutant: {
      name: "forgets a PDU",
      rules: [
        {
          match: { from: "hs1", to: "peer-*", path: SEND, contains: "m.room.message" },
          phase: "before",
          action: { kind: "answer", status: 200, body: { pdus: {} } },
          times: 1,
        },
      ],
    },
  },
  async (world) => {
    const { alice, peer, room } = await meet(world);
    const bob = await world.user("bob");
    const known = new Set(Array.from(room.entries, ({ pdu }) => pdu.id));
    await bob.join(room.roomId);

    await Promise.all(
      [alice, bob].map(async (user) => {
        for (const text of numbered(15)) await user.send(room.roomId, text);
      }),
    );
    const last = await alice.send(room.roomId, "last");
    await peer.waitForPdu(room, "the last message", ({ id }) => id === last);

    for (const { pdu } of peer.pdus.items) {
      for (const id of listAt(pdu.json, "prev_events")) {
        expectThat(known.has(String(id)), `${id} before ${pdu.id}, which follows it`, [...known]);
      }
      known.add(pdu.id);
    }
  },
);
