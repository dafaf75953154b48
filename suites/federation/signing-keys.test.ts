import { CheckFailure, Unsupported } from "#harness/errors";
import { path } from "#harness/http/client";
import { at, eventsAt } from "#harness/match/json";
import type { SigningKey } from "#harness/peer/keys";
import { enter, expectUnknown, type Meeting, meet, message } from "#harness/peer/meeting";
import type { EventLies, Pdu } from "#harness/peer/pdu";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { hides, shows } from "./mutants.ts";
import { listed } from "./rejection.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const KEYS = "/_matrix/key/v2/server";

/** A message of the peer's user by another clock. */
function stamped({ room, mallory }: Meeting, originServerTs: number, lies: EventLies = {}): Pdu {
  const body = new Date(originServerTs).toISOString();
  return room.build({ ...message(mallory, body), originServerTs, ...lies });
}

async function expectBody({ alice, room }: Meeting, pdu: Pdu): Promise<void> {
  const { content } = await alice.event(room.roomId, pdu.id);
  const expected = at(pdu.json, "content", "body");
  expectEqual(content.body, expected, `the body of ${pdu.id} in version ${room.version.id}`);
}

check(
  "FED.sig.key-validity",
  "the server drops an event stamped after the end of its key",
  { mutant: [shows("ignores the end of the key"), hides("drops what is stamped before it, too")] },
  async (world) => {
    for (const version of listed(world, "5", "12")) {
      const meeting = await meet(world, {
        version,
        arrange: ({ keys }) => {
          keys.validUntilTs = Date.now() + 30 * MINUTE_MS;
        },
      });
      const { alice, peer, room } = meeting;
      const late = stamped(meeting, Date.now() + 2 * HOUR_MS);
      const { pdu: timely } = room.add(stamped(meeting, Date.now()));

      await peer.transmit(room, late, timely);
      await peer.fence(room, alice);

      await expectUnknown(alice, room, late.id);
      await expectBody(meeting, timely);
    }
  },
);

check(
  "FED.sig.key-validity-old-rooms",
  "the server takes an event stamped after the end of its key in versions 1 and 4",
  { mutant: hides("drops the event as in version 5") },
  async (world) => {
    for (const version of listed(world, "1", "4")) {
      const meeting = await meet(world, {
        version,
        arrange: ({ keys }) => {
          keys.validUntilTs = Date.now() + 30 * MINUTE_MS;
        },
      });
      const { alice, peer, room } = meeting;
      const { pdu: late } = room.add(stamped(meeting, Date.now() + 2 * HOUR_MS));

      await peer.transmit(room, late);
      await peer.fence(room, alice);

      await expectBody(meeting, late);
    }
  },
);

check(
  "FED.sig.key-validity-cap",
  "the server drops an event stamped more than seven days ahead, however long its key is valid",
  { mutant: shows("believes the 30 days") },
  async (world) => {
    for (const version of listed(world, "5", "12")) {
      const meeting = await meet(world, {
        version,
        arrange: ({ keys }) => {
          keys.validUntilTs = Date.now() + 30 * DAY_MS;
        },
      });
      const { alice, peer, room } = meeting;
      const near = stamped(meeting, Date.now() + 6 * DAY_MS);
      const far = stamped(meeting, Date.now() + 8 * DAY_MS);

      await peer.transmit(room, near, far);
      await peer.fence(room, alice);

      await expectBody(meeting, near).catch((error) => {
        if (!(error instanceof CheckFailure)) throw error;
        // Nothing says that a server has to take events of the future at all.
        throw new Unsupported("events of the future", "one of in six days is not taken either");
      });
      await expectUnknown(alice, room, far.id);
    }
  },
);

check(
  "FED.sig.key-refetched",
  "the server asks for a key that it does not know, and takes the event",
  { mutant: hides("drops events by unknown keys") },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    const messenger = await world.peer();
    const copy = await messenger.join(room.roomId, messenger.user("messenger"), {
      via: alice.server.serverName,
    });
    const before = peer.requests.items.length;
    peer.keys.rotate();
    const { pdu } = room.add(room.build(message(mallory, "by a new key")));

    // Not by the peer itself: its requests are signed by the new key, too, and so would tell of it.
    await messenger.client(alice.server.serverName).send([pdu]);
    await peer.requests.wait(
      "a request for the new key",
      (request) => request.path.startsWith(KEYS) && peer.requests.items.indexOf(request) >= before,
    );
    await messenger.fence(copy, alice);

    const { content } = await alice.event(room.roomId, pdu.id);
    expectEqual(content.body, "by a new key", "the body of the message");
  },
);

check(
  "FED.sig.old-key-expired",
  "the server drops an event stamped after its key was retired, and takes one stamped before",
  { mutant: [shows("takes events by a retired key"), hides("takes no event by an old key")] },
  async (world) => {
    for (const version of listed(world, "5", "12")) {
      const expiredTs = Date.now() - 10 * MINUTE_MS;
      let former: SigningKey | undefined;
      const meeting = await meet(world, {
        version,
        arrange: ({ keys }) => {
          former = keys.rotate(expiredTs);
        },
      });
      const { alice, peer, room } = meeting;
      const signers = former === undefined ? [] : [{ serverName: peer.serverName, key: former }];
      const late = stamped(meeting, expiredTs + MINUTE_MS, { signers });
      const timely = stamped(meeting, expiredTs - MINUTE_MS, { signers });

      await peer.transmit(room, late, timely);
      await peer.fence(room, alice);

      await expectUnknown(alice, room, late.id);
      await expectBody(meeting, timely);
    }
  },
);

check(
  "FED.sig.old-key-still-verifies",
  "the server takes a room and its history whose events a retired key signed",
  {
    mutant: altersAnswer(
      "drops the history from before the rotation",
      { path: "/_matrix/client/v3/rooms/*/messages" },
      { set: { "/chunk": [] } },
    ),
  },
  async (world) => {
    for (const version of listed(world, "5", "12")) {
      const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
      const founder = peer.user("founder");
      const room = peer.createRoom({ creator: founder, version });
      const ids = ["first", "second", "third"].map(
        (body) => room.add(room.build(message(founder, body))).pdu.id,
      );
      peer.keys.rotate();
      peer.serve(room);

      await enter(alice, peer, room.roomId);
      const history = await world.eventually(async () => {
        const response = await alice.get(path`/_matrix/client/v3/rooms/${room.roomId}/messages`, {
          dir: "b",
          limit: 50,
        });
        const found = eventsAt(ok(response), "chunk").map(({ event_id }) => event_id);
        expectThat(
          ids.every((id) => found.includes(id)),
          `the messages from before the rotation in version ${version}`,
          found,
          response,
        );
        return found;
      });

      expectEqual(
        history.filter((id) => ids.includes(id)),
        ids.toReversed(),
        "the messages, newest first",
      );
    }
  },
);
