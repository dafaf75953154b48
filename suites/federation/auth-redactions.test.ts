import { path } from "#harness/http/client";
import { eventsAt, type JsonObject } from "#harness/match/json";
import { EVENT, expectUnknown, type Meeting, meet, message } from "#harness/peer/meeting";
import type { Pdu } from "#harness/peer/pdu";
import type { Draft } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { timeline } from "#harness/world/session";
import { levelsWith, setLevels } from "./levels.ts";
import { shows } from "./mutants.ts";
import { listed, offer } from "./rejection.ts";

const REDACTION = "m.room.redaction";
const READ_EVENT = { method: "GET", path: EVENT, status: 200 };
const REDACTS_ALL = altersAnswer("applies every redaction", READ_EVENT, {
  set: { "/content": {} },
});
const REDACTS_NONE = altersAnswer("applies no redaction", READ_EVENT, {
  set: { "/content": { msgtype: "m.text", body: "kept" } },
});

function redaction(sender: string, redacts: string): Draft {
  return { type: REDACTION, sender, redacts, content: {} };
}

async function expectContent({ alice, room }: Meeting, eventId: string, body: string | undefined) {
  const { content } = await alice.event(room.roomId, eventId);
  const what = `the body of ${eventId} in version ${room.version.id}`;
  expectEqual(content, body === undefined ? {} : { msgtype: "m.text", body }, what);
}

/** A message of a user of the peer, which the server has. */
async function sent(meeting: Meeting, sender: string, body: string): Promise<Pdu> {
  const pdu = await meeting.peer.send(meeting.room, message(sender, body));
  await meeting.peer.fence(meeting.room, meeting.alice);
  return pdu;
}

/** Offers a redaction that is right as an event, whatever comes of it. */
async function redact(meeting: Meeting, draft: Draft): Promise<Pdu> {
  const { pdu } = meeting.room.add(meeting.room.build(draft));
  await offer(meeting, pdu);
  return pdu;
}

check(
  "FED.auth.redaction",
  "the server keeps an event that a user of another server redacts without the level",
  { mutant: REDACTS_ALL },
  async (world) => {
    for (const version of listed(world, "3", "10", "11", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const target = await alice.send(room.roomId, "kept");
      await peer.waitForPdu(room, "the message", ({ id }) => id === target);

      await redact(meeting, redaction(mallory, target));

      await expectContent(meeting, target, "kept");
    }
  },
);

check(
  "FED.auth.redaction",
  "the server redacts an event for a user with the level and for one of its sender's server",
  { mutant: REDACTS_NONE },
  async (world) => {
    for (const version of listed(world, "3", "10", "11", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const neighbour = peer.user("neighbour");
      await peer.join(room.roomId, neighbour, { via: alice.server.serverName });
      const own = await sent(meeting, mallory, "gone");
      const foreign = await alice.send(room.roomId, "gone");

      await redact(meeting, redaction(neighbour, own.id));
      await setLevels(meeting, levelsWith(room, { users: { [mallory]: 50 } }));
      await redact(meeting, redaction(mallory, foreign));

      await expectContent(meeting, own.id, undefined);
      await expectContent(meeting, foreign, undefined);
    }
  },
);

check(
  "FED.auth.redaction-hidden",
  "the server does not show its clients a redaction by a user without the level",
  {
    mutant: [
      altersAnswer(
        "shows it in /sync",
        { path: "/_matrix/client/v3/sync" },
        { set: { "/rooms/join/*/timeline/events/0/type": REDACTION } },
      ),
      altersAnswer(
        "shows it in /messages",
        { path: "/_matrix/client/v3/rooms/*/messages" },
        { set: { "/chunk/0/type": REDACTION } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const target = await alice.send(room.roomId, "kept");
      await peer.waitForPdu(room, "the message", ({ id }) => id === target);
      const since = await alice.syncToken();

      await peer.send(room, redaction(mallory, target));
      const fence = await peer.fence(room, alice);
      const { bodies } = await alice.syncUntilEvent(since, room.roomId, fence.id);
      const messages = await alice.get(path`/_matrix/client/v3/rooms/${room.roomId}/messages`, {
        dir: "b",
        limit: 20,
      });

      const chunk = eventsAt(ok(messages), "chunk");
      expectEqual(chunk.at(0)?.event_id, fence.id, "the last event of the room", messages);
      const found = [...bodies.flatMap((body) => timeline(body, room.roomId)), ...chunk];
      const redactions = found.filter(({ type }) => type === REDACTION);
      expectEqual(redactions, [], `the redactions that clients see in version ${version}`);
    }
  },
);

check(
  "FED.auth.redaction-v1",
  "the server rejects a redaction in versions 1 and 2 unless the ids are of one domain",
  { mutant: [REDACTS_ALL, REDACTS_NONE, shows("shows the redaction", {})] },
  async (world) => {
    for (const version of listed(world, "1", "2")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const neighbour = peer.user("neighbour");
      await peer.join(room.roomId, neighbour, { via: alice.server.serverName });
      const own = await sent(meeting, mallory, "gone");
      const foreign = await alice.send(room.roomId, "kept");
      await peer.waitForPdu(room, "the message", ({ id }) => id === foreign);

      const rejected = room.build(redaction(mallory, foreign));
      await offer(meeting, rejected);
      const taken = await redact(meeting, redaction(neighbour, own.id));

      await expectContent(meeting, foreign, "kept");
      await expectUnknown(alice, room, rejected.id);
      await expectContent(meeting, own.id, undefined);
      expectEqual(
        (await alice.event(room.roomId, taken.id)).type,
        REDACTION,
        "the other redaction",
      );
    }
  },
);

check(
  "FED.auth.redaction-redacts-place",
  "the server reads redacts in the content from version 11 on, and beside it before",
  { mutant: [REDACTS_ALL, REDACTS_NONE] },
  async (world) => {
    for (const version of listed(world, "10", "11", "12")) {
      const meeting = await meet(world, { version });
      const { room, mallory } = meeting;
      const kept = await sent(meeting, mallory, "kept");
      const gone = await sent(meeting, mallory, "gone");
      const right = redaction(mallory, gone.id);
      const isInContent = room.version.hasRedactionsOf11;
      const wrong: Draft = {
        type: REDACTION,
        sender: mallory,
        content: isInContent ? {} : { redacts: kept.id },
        beforeHash: (event) => (isInContent ? { ...event, redacts: kept.id } : event),
      };

      await redact(meeting, wrong);
      await redact(meeting, right);

      await expectContent(meeting, kept.id, "kept");
      await expectContent(meeting, gone.id, undefined);
    }
  },
);

check(
  "FED.auth.redaction-before-target",
  "the server applies a redaction that came before its target once the target comes",
  {
    mutant: [
      REDACTS_NONE,
      altersAnswer(
        "shows the content first",
        { path: "/_matrix/client/v3/sync" },
        { set: { "/rooms/join/*/timeline/events/-1/content/body": "never to be seen" } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "11", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const prevEvents = room.extremities;
      const target = room.build(message(mallory, "never to be seen"));
      const since = await alice.syncToken();

      await redact(meeting, { ...redaction(mallory, target.id), prevEvents });
      room.add(target);
      await peer.transmit(room, target);
      const fence = await peer.fence(room, alice);
      const { bodies } = await alice.syncUntilEvent(since, room.roomId, fence.id);

      await expectContent(meeting, target.id, undefined);
      const bodiesSeen = bodies.flatMap((body) => contents(body, room.roomId));
      const what = "the redacted body in no answer to /sync";
      expectThat(!JSON.stringify(bodiesSeen).includes("never to be seen"), what, bodiesSeen);
    }
  },
);

function contents(body: JsonObject, roomId: string): readonly JsonObject[] {
  return timeline(body, roomId).map(({ content }) => content);
}
