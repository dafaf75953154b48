import { expect, test } from "vitest";
import type { JournalWriter } from "#chaos/journal/write";
import type { Actor, Cast } from "./cast.ts";
import { SyncClient } from "./sync-client.ts";

const ROOM = "!later:hs1.test";

test("what is told of a room before the cast knows it is not lost", async () => {
  const known = new Map<string, string>();
  const create = { type: "m.room.create", state_key: "", event_id: "$create", content: {} };
  const topic = { type: "m.room.topic", state_key: "", event_id: "$topic", content: {} };
  const answer = (id: string, event: object) => ({
    next_batch: id,
    rooms: {
      join: { [ROOM]: { timeline: { events: [event] }, state_after: { events: [event] } } },
    },
  });
  const answers = [answer("1", create), answer("2", topic)];
  const session = {
    deviceId: "D",
    request: async () => {
      const json = answers.shift() ?? { next_batch: "3" };
      // The upgrade is answered once the first sync is.
      if (answers.length === 0) known.set(ROOM, "later");
      return { status: 200, json };
    },
  };
  const actor = { name: "alice", role: "hs1", userId: "@alice:hs1.test", session };
  const cast = { roomName: (id: string) => known.get(id), serverName: () => "hs1.test" };
  const journal = { write: () => undefined };
  await using client = new SyncClient(
    actor as unknown as Actor,
    cast as unknown as Cast,
    journal as unknown as JournalWriter,
    () => undefined,
  );

  await client.catchUp(10_000);

  expect(client.view(ROOM)).toEqual({ "m.room.create|": "$create", "m.room.topic|": "$topic" });
});
