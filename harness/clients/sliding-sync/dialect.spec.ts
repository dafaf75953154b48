import { expect, test } from "vitest";
import { decodeRooms, STABLE, UNSTABLE } from "./dialect.ts";
import type { SlidingRequest } from "./request.ts";
import { parseResponse, ResponseFormatError } from "./response.ts";

const REQUEST: SlidingRequest = {
  lists: {
    a: {
      range: [0, 9],
      timelineLimit: 2,
      requiredState: {
        include: [{ type: "m.room.name", stateKey: "" }, { type: "m.space.child" }, {}],
        lazyMembers: true,
      },
      filters: { isInvited: false, isDm: true, roomTypes: [null] },
    },
  },
  subscriptions: { "!r:hs1": { timelineLimit: 1 } },
  extensions: { typing: { enabled: true } },
};

test("the stable dialect has everything in the body", () => {
  const { path, query, body } = STABLE.encode(REQUEST, { pos: "p", timeoutMs: 5, connId: "c" });
  expect([path, query]).toEqual(["/_matrix/client/v4/sync", {}]);
  expect(body).toEqual({
    pos: "p",
    timeout: 5,
    conn_id: "c",
    lists: {
      a: {
        range: [0, 9],
        timeline_limit: 2,
        required_state: {
          include: [{ type: "m.room.name", state_key: "" }, { type: "m.space.child" }, {}],
          lazy_members: true,
        },
        filters: { is_invited: false, is_dm: true, room_types: [null] },
      },
    },
    room_subscriptions: { "!r:hs1": { timeline_limit: 1, required_state: {} } },
    extensions: { typing: { enabled: true } },
  });
});

test("the unstable dialect has position and timeout in the query, and its own names", () => {
  const { query, body } = UNSTABLE.encode(REQUEST, { pos: "p", timeoutMs: 5, connId: "c" });
  expect(query).toEqual({ pos: "p", timeout: 5 });
  expect(body).toEqual({
    conn_id: "c",
    lists: {
      a: {
        ranges: [[0, 9]],
        timeline_limit: 2,
        required_state: [
          ["m.room.name", ""],
          ["m.space.child", "*"],
          ["*", "*"],
          ["m.room.member", "$LAZY"],
        ],
        filters: { is_invite: false, is_dm: true, room_types: [null] },
      },
    },
    room_subscriptions: { "!r:hs1": { timeline_limit: 1, required_state: [] } },
    extensions: { typing: { enabled: true } },
  });
});

test("without rules nothing is sent but an empty object", () => {
  expect(STABLE.encode({}, {}).body).toEqual({});
  expect(UNSTABLE.encode({}, {}).body).toEqual({});
});

test("answers of the unstable dialect get the names of the stable one", () => {
  const rooms = { r: { invite_state: [], unstable_expanded_timeline: true, name: "n" } };
  expect(decodeRooms(UNSTABLE, { rooms })).toEqual({
    r: { stripped_state: [], expanded_timeline: true, name: "n" },
  });
});

test.each([
  [{}, "pos"],
  [{ pos: 1 }, "pos"],
  [{ pos: "1", lists: { a: { count: "1" } } }, "lists.a.count"],
  [{ pos: "1", rooms: [] }, "rooms"],
  [{ pos: "1", rooms: { r: { num_live: -1 } } }, "rooms.r.num_live"],
  [{ pos: "1", rooms: { r: { bump_stamp: null } } }, "rooms.r.bump_stamp"],
  [{ pos: "1", rooms: { r: { bump_stamp: 2 ** 60 } } }, "rooms.r.bump_stamp"],
  [{ pos: "1", rooms: { r: { timeline: [{ type: "a" }] } } }, "rooms.r.timeline.0.content"],
  [{ pos: "1", rooms: { r: { is_dm: null } } }, "rooms.r.is_dm"],
])("%j is refused at %s", (body, place) => {
  expect(() => parseResponse(UNSTABLE, body)).toThrow(ResponseFormatError);
  expect(() => parseResponse(UNSTABLE, body)).toThrow(`${place}:`);
});

test("null unsets a name and an avatar only", () => {
  const body = { pos: "1", rooms: { r: { name: null, avatar: null } } };
  expect(parseResponse(STABLE, body).rooms.r).toEqual({ name: null, avatar: null });
});
