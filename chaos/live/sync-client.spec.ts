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

const event = (type: string, id: string) => ({
  type,
  state_key: "",
  event_id: id,
  content: {},
});

async function viewAfter(...sections: readonly Record<string, object>[]) {
  const answers = sections.map((section, at) => ({
    next_batch: String(at),
    rooms: Object.fromEntries(
      Object.entries(section).map(([name, state]) => [
        name,
        { [ROOM]: { timeline: { events: [] }, state_after: { events: state } } },
      ]),
    ),
  }));
  const session = {
    deviceId: "D",
    request: async () => ({ status: 200, json: answers.shift() ?? { next_batch: "end" } }),
  };
  const actor = { name: "alice", role: "hs1", userId: "@alice:hs1.test", session };
  const cast = { roomName: () => "later", serverName: () => "hs1.test" };
  await using client = new SyncClient(
    actor as unknown as Actor,
    cast as unknown as Cast,
    { write: () => undefined } as unknown as JournalWriter,
    () => undefined,
  );
  for (let count = 0; count <= sections.length; count++) await client.catchUp(10_000);
  return client.view(ROOM);
}

const CREATE = event("m.room.create", "$create");
const TOPIC = event("m.room.topic", "$topic");
const NAME = event("m.room.name", "$name");

test("who comes back is told the whole state anew", async () => {
  expect(
    await viewAfter({ join: [CREATE, TOPIC] }, { leave: [] }, { join: [CREATE, NAME] }),
  ).toEqual({ "m.room.create|": "$create", "m.room.name|": "$name" });
});

test("who was out by a kick only that lost keeps the state", async () => {
  expect(await viewAfter({ join: [CREATE, TOPIC] }, { leave: [] }, { join: [NAME] })).toEqual({
    "m.room.create|": "$create",
    "m.room.name|": "$name",
    "m.room.topic|": "$topic",
  });
});
