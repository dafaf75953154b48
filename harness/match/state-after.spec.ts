import { expect, it } from "vitest";
import { stateAfter } from "./state-after.ts";

const EVENT = {
  type: "m.room.topic",
  state_key: "",
  event_id: "$1",
  sender: "@a:hs1",
  origin_server_ts: 1,
  content: {},
};

it.each(["state_after", "org.matrix.msc4222.state_after"])("is found as %s", (name) => {
  expect(stateAfter({ [name]: { events: [EVENT] } })).toEqual([EVENT]);
});

it("is not what was before the timeline", () => {
  expect(stateAfter({ state: { events: [EVENT] } })).toBeUndefined();
});

it("is nothing new where there is none of it", () => {
  expect(stateAfter({ state_after: {} })).toEqual([]);
});
