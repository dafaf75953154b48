import { expect, test } from "vitest";
import { violationsIn } from "./invariants.ts";
import { allRooms, type SlidingRequest } from "./request.ts";
import type { RoomResult, SlidingResponse, SyncEvent } from "./response.ts";
import { View } from "./view.ts";

const ROOM = "!room:hs1";
const ME = "@me:hs1";
const LIST = allRooms({ timelineLimit: 3 });
const LAZY = allRooms({ timelineLimit: 3, requiredState: { lazyMembers: true } });
const SUBSCRIPTION: SlidingRequest = { subscriptions: { [ROOM]: { timelineLimit: 3 } } };

function event<More extends Partial<SyncEvent>>(id: string, more?: More): SyncEvent & More {
  return {
    type: "m.room.message",
    content: {},
    sender: "@bob:hs1",
    event_id: id,
    origin_server_ts: 1,
    ...more,
  } as SyncEvent & More;
}

const member = (user: string, membership = "join") =>
  event(`$member-${user}`, {
    type: "m.room.member",
    state_key: user,
    sender: user,
    content: { membership },
  });

interface Case {
  readonly request?: SlidingRequest;
  readonly previous?: SlidingRequest;
  readonly known?: RoomResult;
  readonly result?: RoomResult;
  readonly answer?: Partial<SlidingResponse>;
}

function broken({ request = LIST, previous, known, result, answer = {} }: Case): string[] {
  const empty = { pos: "1", counts: {}, rooms: {}, extensions: {} };
  const before =
    known === undefined ? new View() : new View().with({ ...empty, rooms: { [ROOM]: known } });
  const counts = request.lists === undefined ? {} : { all: 1 };
  const rooms = result === undefined ? {} : { [ROOM]: result };
  const response = { ...empty, counts, rooms, ...answer };
  const violations = violationsIn({
    userId: ME,
    request,
    previous: previous ?? request,
    isInitial: known === undefined,
    before,
    response,
    after: before.with(response),
  });
  return violations.map(({ requirement }) => requirement);
}

const KNOWN: RoomResult = {
  initial: true,
  bump_stamp: 10,
  required_state: [member(ME), event("$topic", { type: "m.room.topic", state_key: "" })],
  timeline: [event("$1")],
};

test.each<[string, Case]>([
  ["nothing", {}],
  ["a first room", { result: KNOWN }],
  ["a delta", { known: KNOWN, result: { timeline: [event("$2")], num_live: 1, bump_stamp: 11 } }],
  [
    "an expansion",
    {
      known: KNOWN,
      result: { expanded_timeline: true, timeline: [event("$0"), event("$1")] },
    },
  ],
  [
    "the same state after a config that changed",
    {
      known: KNOWN,
      previous: SUBSCRIPTION,
      result: { required_state: KNOWN.required_state ?? [] },
    },
  ],
  [
    "an invite",
    {
      result: {
        stripped_state: [
          {
            type: "m.room.member",
            state_key: ME,
            sender: "@bob:hs1",
            content: { membership: "invite" },
          },
        ],
      },
    },
  ],
  [
    "a lazily loaded sender",
    {
      request: LAZY,
      result: { initial: true, timeline: [event("$1")], required_state: [member("@bob:hs1")] },
    },
  ],
  [
    "typing in a subscribed room",
    {
      request: SUBSCRIPTION,
      answer: { extensions: { typing: { rooms: { [ROOM]: {} } } } },
    },
  ],
])("%s breaks nothing", (_, given) => {
  expect(broken(given)).toEqual([]);
});

test.each<[string, Case]>([
  ["MSC4186.list.sticky-not", { answer: { counts: { all: 1, other: 1 } } }],
  ["MSC4186.list.sticky-not", { request: {}, result: KNOWN }],
  ["MSC4186.list.count", { answer: { counts: {} } }],
  [
    "MSC4186.meta.initial-flag",
    {
      result: { required_state: [member(ME)], timeline: [event("$1")] },
    },
  ],
  [
    "MSC4186.timeline.limit",
    {
      result: { ...KNOWN, timeline: ["$1", "$2", "$3", "$4"].map((id) => event(id)) },
    },
  ],
  ["MSC4186.timeline.num-live", { known: KNOWN, result: { timeline: [event("$2")], num_live: 2 } }],
  ["MSC4186.timeline.expand-flag", { known: KNOWN, result: { timeline: [event("$1")] } }],
  ["MSC4186.timeline.expand-flag", { result: { ...KNOWN, timeline: [event("$1"), event("$1")] } }],
  [
    "MSC4186.meta.heroes-not-when-named",
    {
      result: { ...KNOWN, name: "named", heroes: [{ user_id: "@bob:hs1" }] },
    },
  ],
  ["MSC4186.meta.heroes", { result: { ...KNOWN, heroes: [{ user_id: ME }] } }],
  [
    "MSC4186.meta.heroes",
    {
      result: {
        ...KNOWN,
        heroes: Array.from({ length: 6 }, (_, at) => ({ user_id: `@${at}:hs1` })),
      },
    },
  ],
  [
    "MSC4186.meta.bump-stamp-order",
    {
      known: KNOWN,
      result: { timeline: [event("$2")], num_live: 1, bump_stamp: 9 },
    },
  ],
  [
    "MSC4186.state.delta-only",
    {
      known: KNOWN,
      result: { required_state: KNOWN.required_state ?? [] },
    },
  ],
  ["MSC4186.lazy.senders", { request: LAZY, result: { initial: true, timeline: [event("$1")] } }],
  [
    "MSC4186.member.invite-no-leak",
    {
      result: {
        joined_count: 2,
        stripped_state: [
          {
            type: "m.room.member",
            state_key: ME,
            sender: "@bob:hs1",
            content: { membership: "invite" },
          },
        ],
      },
    },
  ],
  [
    "MSC4508.ext.scope-lists-rooms",
    {
      request: SUBSCRIPTION,
      answer: { extensions: { typing: { rooms: { "!other:hs1": {} } } } },
    },
  ],
])("%s is told", (requirement, given) => {
  expect(broken(given)).toEqual([requirement]);
});
