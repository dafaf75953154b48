import { expect, test } from "vitest";
import type { JsonObject, RoomEvent } from "#protocol/events/event";
import { roomVersion } from "#protocol/rooms/room-version";
import { EventGraph } from "./event-graph.ts";
import { powerOrder } from "./power-order.ts";

const ALICE = "@alice:hs1";

function event(id: string, type: string, content: JsonObject, originServerTs: number): RoomEvent {
  return {
    id,
    type,
    stateKey: type === "m.room.member" ? "@bob:hs1" : "",
    sender: ALICE,
    roomId: "!room:hs1",
    content,
    authEvents: type === "m.room.create" ? [] : ["$create"],
    prevEvents: [],
    originServerTs,
    depth: 1,
  };
}

function version10() {
  const version = roomVersion("10");
  if (version === undefined) throw new Error("there is no room version 10");
  return version;
}

// Found by `npm run fuzz`: each create event speaks for itself alone, also where there are two.
test("the level of a create event does not depend on which of two came first", () => {
  const create = event("$create", "m.room.create", { creator: ALICE }, 1);
  const other = event("$other", "m.room.create", { creator: "@bob:hs1" }, 2);
  const ban = event("$ban", "m.room.member", { membership: "ban" }, 3);
  const orders = [
    [create, other, ban],
    [other, create, ban],
  ].map((events) => {
    const graph = EventGraph.of(events, version10(), new Set());
    const order = powerOrder(graph, [0, 1, 2], new Set([0, 1, 2]), undefined);
    return order.map((index) => graph.node(index).event.id);
  });
  expect(orders).toEqual([
    ["$create", "$ban", "$other"],
    ["$create", "$ban", "$other"],
  ]);
});
