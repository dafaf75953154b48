import fc from "fast-check";
import { expect, test } from "vitest";
import type { RoomResult, SlidingResponse, SyncEvent } from "./response.ts";
import { membershipIn, View } from "./view.ts";

const ROOM = "!room:hs1";

function event(id: string, type = "m.room.message"): SyncEvent {
  return {
    type,
    content: { membership: "join" },
    sender: "@alice:hs1",
    event_id: id,
    origin_server_ts: 1,
  };
}

function answer(result: RoomResult): SlidingResponse {
  return { pos: "1", counts: {}, rooms: { [ROOM]: result }, extensions: {} };
}

function fold(...results: readonly RoomResult[]) {
  const view = results.reduce((before, result) => before.with(answer(result)), new View());
  const room = view.room(ROOM);
  if (room === undefined) throw new Error("no room");
  return room;
}

function state(id: string, type: string, stateKey = "") {
  return { ...event(id, type), state_key: stateKey };
}

const ids = (room: ReturnType<typeof fold>) =>
  room.timeline.map((segment) => segment.map(({ event_id }) => event_id));

test("what is left out stays, null unsets, initial replaces", () => {
  const first = { initial: true, name: "one", avatar: "mxc://a/b", joined_count: 2 };
  expect(fold(first, { joined_count: 3 })).toMatchObject({ name: "one", joinedCount: 3 });
  expect(fold(first, { name: null })).toMatchObject({ name: null, avatar: "mxc://a/b" });
  expect(fold(first, { initial: true, joined_count: 1 }).name).toBeUndefined();
});

test("state is overwritten by key and deleted by a stub", () => {
  const topic = state("$1", "m.room.topic");
  const newer = state("$2", "m.room.topic");
  const both = fold({ initial: true, required_state: [topic] }, { required_state: [newer] });
  expect(both.state.get("m.room.topic|")?.event_id).toBe("$2");
  const stub = { type: "m.room.topic", state_key: "" };
  expect(
    fold({ initial: true, required_state: [topic] }, { required_state: [stub] }).state,
  ).toEqual(new Map());
});

test("a timeline goes on, and a gap begins a new run", () => {
  const first = { initial: true, timeline: [event("$1"), event("$2")] };
  expect(ids(fold(first, { timeline: [event("$3")] }))).toEqual([["$1", "$2", "$3"]]);
  expect(ids(fold(first, { timeline: [event("$5")], limited: true }))).toEqual([
    ["$1", "$2"],
    ["$5"],
  ]);
});

test("an expanded timeline takes the place of what it overlaps", () => {
  const first = { initial: true, limited: true, timeline: [event("$3")] };
  const expanded = {
    expanded_timeline: true,
    timeline: [event("$1"), event("$2"), event("$3"), event("$4")],
  };
  expect(ids(fold(first, expanded))).toEqual([["$1", "$2", "$3", "$4"]]);
  const shorter = { expanded_timeline: true, timeline: [event("$2"), event("$3")] };
  const longer = { initial: true, timeline: [event("$1"), event("$2"), event("$3")] };
  expect(ids(fold(longer, shorter))).toEqual([["$1", "$2", "$3"]]);
});

test("membership is what the server says, else that of the own member event", () => {
  const own = state("$1", "m.room.member", "@alice:hs1");
  const invite = { type: "m.room.member", state_key: "@alice:hs1", sender: "@bob:hs1" };
  expect(membershipIn(fold({ membership: "ban", required_state: [own] }), "@alice:hs1")).toBe(
    "ban",
  );
  expect(membershipIn(fold({ required_state: [own] }), "@alice:hs1")).toBe("join");
  expect(membershipIn(fold({ timeline: [own] }), "@alice:hs1")).toBe("join");
  const stripped = [{ ...invite, content: { membership: "invite" } }];
  expect(membershipIn(fold({ stripped_state: stripped }), "@alice:hs1")).toBe("invite");
  expect(membershipIn(fold({ name: "x" }), "@alice:hs1")).toBeUndefined();
});

test("a view that was forked is not changed by what its successor gets", () => {
  const before = new View().with(answer({ initial: true, timeline: [event("$1")] }));
  const copy = structuredClone(before.room(ROOM));
  before.with(
    answer({ timeline: [event("$2")], required_state: [state("$3", "a", "b")], name: "n" }),
  );
  expect(before.room(ROOM)).toEqual(copy);
});

test("in whatever pieces events come, the timeline has them once and in order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 8 }), (sizes) => {
      let next = 0;
      const results = sizes.map((size, index) => ({
        initial: index === 0,
        timeline: Array.from({ length: size }, () => event(`$${next++}`)),
      }));
      if (results.length === 0) return;
      const expected = Array.from({ length: next }, (_, index) => `$${index}`);
      expect(ids(fold(...results))).toEqual([expected]);
    }),
  );
});
