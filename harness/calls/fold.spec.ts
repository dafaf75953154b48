import { describe, expect, test } from "vitest";
import type { Exchange } from "#harness/gateway/exchange";
import type { CallNote, CallRecord } from "#harness/results/call";
import type { CallTimeline, MemberLane } from "#harness/results/call-timeline";
import { hashOf } from "./facts.ts";
import { foldCall } from "./fold.ts";

const ROOM = "!room:hs1";
const [ALICE, BOB] = ["@alice:hs1", "@bob:hs2"];
const MEMBER = "org.matrix.msc4143.rtc.member";
const T = 1_000_000;

const RECORD: CallRecord = {
  deployment: "main",
  check: "A.a.a.1",
  from: T,
  to: T + 20_000,
  rooms: [ROOM],
  places: [
    // Dealt out: the check's hs1 was started as hs2.
    { role: "hs1", place: "hs2", serverName: "hs1" },
    { role: "sfu1", place: "sfu2" },
    { role: "rtc1", place: "rtc2" },
    { role: "hs2", place: "hs1", serverName: "hs2" },
  ],
  devices: [
    { client: "c-alice", user: ALICE, device: "A" },
    { client: "c-bob", user: BOB, device: "B" },
  ],
  faults: [],
  notes: [],
};

let ids = 0;

interface Asked {
  readonly client?: string;
  readonly from?: string;
  readonly to?: string;
  readonly request?: unknown;
  readonly response?: unknown;
  readonly status?: number;
  readonly rules?: readonly string[];
}

function asked(at: number, method: string, path: string, given: Asked = {}): Exchange {
  const {
    client,
    from = "client",
    to = "hs2",
    request,
    response = {},
    status = 200,
    rules,
  } = given;
  const message = (value: unknown) => ({ headers: {}, bytes: 0, body: JSON.stringify(value) });
  return {
    id: `main#${++ids}`,
    at: T + at,
    durationMs: 10,
    from,
    to,
    method,
    path,
    check: RECORD.check,
    ...(client === undefined ? {} : { client }),
    request: message(request ?? {}),
    status,
    response: message(response),
    ...(rules === undefined ? {} : { rules }),
  };
}

function content(membership: "join" | "leave", id = "m1") {
  return {
    slot_id: "m.call#ROOM",
    member: { id, membership },
    msc4354_sticky_key: id,
    ...(membership === "join" ? { application: { type: "m.call" } } : {}),
  };
}

const SEND = `/_matrix/client/v3/rooms/${encodeURIComponent(ROOM)}/send/${MEMBER}/txn`;
const STICKY = "org.matrix.msc4354.sticky_duration_ms";
const DELAY = "org.matrix.msc4140.delay";

function join(at: number, client: string, eventId: string, stickyMs = 60_000, id = "m1"): Exchange {
  return asked(at, "PUT", `${SEND}${at}?${STICKY}=${stickyMs}`, {
    client,
    request: content("join", id),
    response: { event_id: eventId },
  });
}

function scheduled(at: number, client: string, id: string, delayMs: number): Exchange {
  return asked(at, "PUT", `${SEND}${at}?${DELAY}=${delayMs}&${STICKY}=60000`, {
    client,
    request: content("leave"),
    response: { delay_id: id },
  });
}

function acted(at: number, id: string, action: string, given: Asked = {}): Exchange {
  const base = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";
  return asked(at, "POST", `${base}/${id}/${action}`, { client: "c-alice", ...given });
}

/** A sync answer with an event that a server made at that time. */
function shown(
  at: number,
  sentAt: number,
  sender = ALICE,
  event: unknown = content("leave"),
): Exchange {
  const events = [
    { type: MEMBER, sender, content: event, origin_server_ts: T + sentAt, event_id: `$s${sentAt}` },
  ];
  const response = { rooms: { join: { [ROOM]: { timeline: { events } } } } };
  return asked(at, "GET", "/_matrix/client/v3/sync", { client: "c-bob", response });
}

function fold(exchanges: readonly Exchange[], more: Partial<CallRecord> = {}): CallTimeline {
  return foldCall({ ...RECORD, ...more }, exchanges);
}

function only({ members }: CallTimeline): MemberLane {
  expect(members).toHaveLength(1);
  const [lane] = members;
  if (lane === undefined) throw new Error("no lane");
  return lane;
}

describe("membership", () => {
  test("goes from the join over updates to the leave, in its device's lane", () => {
    const leave = asked(5_000, "PUT", `${SEND}x?${STICKY}=60000`, {
      client: "c-alice",
      request: content("leave"),
      response: { event_id: "$3" },
    });
    const lane = only(fold([join(0, "c-alice", "$1"), join(2_000, "c-alice", "$2"), leave]));
    expect(lane).toMatchObject({ user: ALICE, device: "A", server: "hs1" });
    expect(lane.published).toEqual([
      {
        kind: "member",
        type: MEMBER,
        key: "m1",
        from: T,
        to: T + 5_000,
        updates: [T + 2_000],
        end: "left",
        stickyMs: 60_000,
      },
    ]);
  });

  test("ends when it no longer sticks, and begins anew after that", () => {
    const lane = only(fold([join(0, "c-alice", "$1", 3_000), join(9_000, "c-alice", "$2")]));
    expect(lane.published.map(({ from, to, end }) => [from - T, to - T, end])).toEqual([
      [0, 3_000, "expired"],
      [9_000, 20_000, "open"],
    ]);
  });

  test("ends for who is put out of the room", () => {
    const kick = asked(4_000, "POST", `/_matrix/client/v3/rooms/${ROOM}/kick`, {
      client: "c-alice",
      request: { user_id: BOB },
    });
    const lane = only(fold([join(0, "c-bob", "$1"), kick]));
    expect(lane.published[0]).toMatchObject({ to: T + 4_000, end: "kicked" });
  });

  test("of another server is known by what this one shows, once", () => {
    const event = shown(3_000, 1_000, "@carol:hs3", content("join"));
    const lane = only(fold([event, { ...event, id: "again", at: T + 4_000 }]));
    expect(lane).toMatchObject({ user: "@carol:hs3", published: [{ from: T + 1_000 }] });
  });

  test("by state does not fade, and its empty content is the leave", () => {
    const state = `/_matrix/client/v3/rooms/${ROOM}/state/org.matrix.msc3401.call.member/_@alice:hs1_A_m.call`;
    const put = (at: number, request: unknown) =>
      asked(at, "PUT", state, { client: "c-alice", request, response: { event_id: `$${at}` } });
    const lane = only(fold([put(0, { application: "m.call" }), put(7_000, {})]));
    expect(lane.published[0]).toMatchObject({ kind: "legacy member", to: T + 7_000, end: "left" });
    expect(lane.published[0]?.stickyMs).toBeUndefined();
  });
});

describe("delayed events", () => {
  test("are due later with each restart, and end the membership when the server sends them", () => {
    const lane = only(
      fold([
        join(0, "c-alice", "$1"),
        scheduled(100, "c-alice", "d1", 3_000),
        acted(2_000, "d1", "restart"),
        acted(4_000, "d1", "restart", { from: "rtc2", client: "c-service" }),
        shown(8_000, 7_005),
      ]),
    );
    expect(lane.delayed).toEqual([
      {
        id: "d1",
        type: MEMBER,
        delayMs: 3_000,
        at: T + 110,
        restarts: [
          { at: T + 2_000, by: "client" },
          { at: T + 4_000, by: "rtc1" },
        ],
        due: T + 7_000,
        end: "fired",
        endAt: T + 7_005,
      },
    ]);
    expect(lane.published[0]).toMatchObject({ to: T + 7_005, end: "fired" });
  });

  test.each([
    ["cancelled", [acted(1_000, "d1", "cancel")], "cancelled", 1_000],
    ["sent when asked", [acted(1_000, "d1", "send"), shown(1_100, 1_050)], "sent", 1_050],
    ["never shown", [], "due", 3_010],
    [
      "sent although it was cancelled",
      [acted(500, "d1", "cancel"), shown(4_000, 3_000)],
      "fired",
      3_000,
    ],
    [
      "not restarted by who was refused",
      [acted(1_000, "d1", "restart", { status: 404 })],
      "due",
      3_010,
    ],
  ])("%s", (_, others, end, at) => {
    const lane = only(fold([scheduled(0, "c-alice", "d1", 3_000), ...others]));
    expect(lane.delayed[0]).toMatchObject({ end, endAt: T + at });
  });

  test("that are due after the end are waited for", () => {
    const lane = only(fold([scheduled(0, "c-alice", "d1", 3_600_000)]));
    expect(lane.delayed[0]).toMatchObject({ end: "waiting", endAt: T + 20_000 });
  });

  test("are sent by no server that is down, whatever time it gives them", () => {
    const faults = [
      { from: T + 500, to: T + 600, role: "hs1", what: "kill" },
      { from: T + 6_000, to: T + 8_000, role: "hs1", what: "restart" },
    ];
    const timeline = fold([scheduled(0, "c-alice", "d1", 3_000), shown(8_500, 3_010)], { faults });
    expect(only(timeline).delayed[0]).toMatchObject({
      end: "fired",
      endAt: T + 8_510,
      due: T + 3_010,
    });
    expect(timeline.places[0]).toMatchObject({
      role: "hs1",
      down: [{ from: T + 500, to: T + 8_000, what: "kill" }],
    });
  });

  test("two alike are two", () => {
    const lane = only(
      fold([
        scheduled(0, "c-alice", "d1", 1_000),
        scheduled(50, "c-alice", "d2", 1_000),
        shown(2_000, 1_010),
      ]),
    );
    expect(lane.delayed.map(({ id, end }) => [id, end])).toEqual([
      ["d1", "fired"],
      ["d2", "due"],
    ]);
  });

  test("that the server sends twice are told so, also at the same time", () => {
    const once = shown(4_000, 3_010);
    const twice = JSON.parse(JSON.stringify(once).replaceAll("$s3010", "$twice")) as Exchange;
    const lane = only(fold([scheduled(0, "c-alice", "d1", 3_000), once, once, twice]));
    expect(lane.delayed[0]).toMatchObject({ end: "fired", again: [T + 3_010] });
  });

  test("may be left to the service", () => {
    const delegate = asked(300, "POST", "/_matrix/client/v1/rtc/livekit/delegate_delayed_leave", {
      client: "c-alice",
      request: { room_id: ROOM, delay_id: "d1" },
    });
    const lane = only(fold([scheduled(0, "c-alice", "d1", 3_000), delegate]));
    expect(lane.delayed[0]).toMatchObject({ delegatedAt: T + 300 });
  });
});

describe("media", () => {
  const token = asked(1_000, "POST", "/_matrix/client/v1/rtc/livekit/get_token", {
    client: "c-alice",
    request: { room_id: ROOM, slot_id: "m.call#ROOM", member_id: "m1" },
    response: { jwt: "<scrubbed>" },
  });
  const webhook = (
    at: number,
    event: string,
    identity: string,
    room = hashOf(ROOM, "m.call#ROOM"),
  ) =>
    asked(at, "POST", "/sfu_webhook", {
      from: "sfu2",
      to: "rtc2",
      request: { event, room: { name: room }, participant: { identity } },
    });
  const identity = hashOf(ALICE, "m1");

  test("is told by webhooks under the name that the token was for", () => {
    const lane = only(
      fold([
        token,
        webhook(2_000, "participant_joined", identity),
        webhook(9_000, "participant_left", identity),
        webhook(3_000, "participant_joined", "somebody else", "another call"),
      ]),
    );
    expect(lane).toMatchObject({ user: ALICE, tokens: [{ at: T + 1_010, isGiven: true }] });
    expect(lane.connected).toEqual([{ from: T + 2_000, to: T + 9_000 }]);
  });

  test("ends with the SFU", () => {
    const faults = [{ from: T + 5_000, to: T + 5_010, role: "sfu1", what: "kill" }];
    const lane = only(fold([token, webhook(2_000, "participant_joined", identity)], { faults }));
    expect(lane.connected).toEqual([{ from: T + 2_000, to: T + 5_000 }]);
  });

  test("of a stranger in the call has a lane of its own", () => {
    const { members } = fold([
      token,
      join(0, "c-alice", "$1"),
      webhook(2_000, "participant_joined", identity),
      webhook(3_000, "participant_joined", "a stranger on the SFU"),
    ]);
    expect(members[1]).toMatchObject({
      user: "SFU participant a stranger o",
      gaps: [{ what: "eavesdropper", from: T + 3_000, to: T + 20_000 }],
    });
  });

  test("and membership that part are gaps, if they part for long enough", () => {
    const timeline = fold([
      token,
      join(0, "c-alice", "$1", 10_000),
      webhook(900, "participant_joined", identity),
      webhook(6_000, "participant_left", identity),
      webhook(8_000, "participant_joined", identity),
    ]);
    expect(only(timeline).gaps).toEqual([
      { what: "ghost", from: T + 6_000, to: T + 8_000 },
      { what: "eavesdropper", from: T + 10_000, to: T + 20_000 },
    ]);
  });

  test("nobody is a ghost where nothing tells of media", () => {
    expect(only(fold([join(0, "c-alice", "$1")])).gaps).toEqual([]);
  });
});

describe("notes", () => {
  const note = (at: number, what: CallNote["what"], more: Partial<CallNote> = {}): CallNote => ({
    at: T + at,
    who: `${ALICE}/A`,
    what,
    ...more,
  });

  test("of what is heard last until the next of the same two", () => {
    const notes = [
      note(1_000, "heard", { from: BOB }),
      note(4_000, "missing-key", { from: `${BOB}/B` }),
      note(2_000, "silent", { from: "@carol:hs1" }),
      note(500, "connected", { from: "sfu1" }),
      note(9_000, "disconnected"),
    ];
    const lane = only(fold([], { notes }));
    expect(lane.hears).toEqual([
      {
        of: `${BOB}/B`,
        spans: [
          { what: "heard", from: T + 1_000, to: T + 4_000 },
          { what: "missing-key", from: T + 4_000, to: T + 20_000 },
        ],
      },
      { of: "@carol:hs1", spans: [{ what: "silent", from: T + 2_000, to: T + 20_000 }] },
    ]);
    expect(lane.connected).toEqual([{ from: T + 500, to: T + 9_000 }]);
  });

  test("and messages tell of keys by digest and index", () => {
    const key = Buffer.from("a key that nobody is to see").toString("base64");
    const send = asked(1_000, "PUT", "/_matrix/client/v3/sendToDevice/m.rtc.encryption_key/txn", {
      client: "c-alice",
      request: { messages: { [BOB]: { B: { media_key: { index: 3, key } } } } },
    });
    const notes = [
      note(2_000, "key", { index: 3, digest: "0a1b2c3d" }),
      note(3_000, "key", { from: BOB, index: 0 }),
    ];
    const timeline = fold([send], { notes });
    expect(only(timeline).keys).toEqual([
      {
        at: T + 1_000,
        what: "sent",
        of: `${ALICE}/A`,
        index: 3,
        digest: expect.stringMatching(/^[0-9a-f]{8}$/),
      },
      { at: T + 2_000, what: "uses", of: `${ALICE}/A`, index: 3, digest: "0a1b2c3d" },
      { at: T + 3_000, what: "has", of: `${BOB}/B`, index: 0 },
    ]);
    expect(JSON.stringify(timeline)).not.toContain(key);
  });
});

test("rules are told with the times at which they acted", () => {
  const faults = [{ from: T + 1_000, to: T + 3_000, what: "reset hs1 to hs2" }];
  const rules = ["reset hs1 to hs2"];
  const acted = [500, 2_000].map((at) =>
    asked(at, "PUT", "/_matrix/federation/v1/send/1", { rules }),
  );
  expect(fold(acted, { faults }).rules).toEqual([
    { name: "reset hs1 to hs2", from: T + 1_000, to: T + 3_000, acted: [T + 2_000] },
  ]);
});

test("servers are always there, services where the call asked them", () => {
  expect(fold([]).places.map(({ role }) => role)).toEqual(["hs1", "hs2"]);
  const asks = asked(0, "POST", "/get_token", { to: "rtc2", request: { room_id: ROOM } });
  expect(fold([asks]).places.map(({ role }) => role)).toEqual(["hs1", "rtc1", "hs2"]);
});

test("nothing comes of nothing, and of bodies that are not whole", () => {
  expect(fold([])).toMatchObject({ members: [], cut: 0 });
  const cut = { headers: {}, bytes: 70_000, body: '{"rooms":{"join"' };
  const sync = { ...asked(0, "GET", "/_matrix/client/v3/sync"), response: cut };
  expect(fold([sync])).toMatchObject({ members: [], cut: 1 });
});

test("whatever servers and clients write, it is a timeline", () => {
  const evil = ["__proto__", "<script>alert(1)</script>", "\u202e\u001b[2J", "x".repeat(1_000_000)];
  const exchanges = evil.flatMap((text, at) => [
    asked(at, "PUT", `${SEND}?${DELAY}=5&${STICKY}=NaN`, {
      client: text,
      request: { member: text, msc4354_sticky_key: text },
      response: { delay_id: text, event_id: text },
    }),
    asked(
      at,
      "PUT",
      `/_matrix/client/v3/rooms/%E0%A4%A/send/${encodeURIComponent(text)}/t?${STICKY}=-1`,
      {
        client: "c-alice",
        request: [text],
        response: { event_id: text },
      },
    ),
    shown(at, at, text, { member: { membership: text, id: text }, application: text }),
    asked(at, "POST", "/sfu_webhook", {
      request: { event: text, participant: { identity: text } },
    }),
    asked(at, "PUT", "/_matrix/client/v3/sendToDevice/m.rtc.encryption_key/t", {
      client: "c-alice",
      request: { messages: { [text]: { [text]: { keys: [{ key: text, index: text }] } } } },
    }),
  ]);
  const notes = evil.map((text) => ({ at: T, who: text, from: text, what: "heard" as const }));
  const timeline = fold(exchanges, { notes });
  expect(timeline.members.length).toBeGreaterThan(3);
  expect(JSON.stringify(timeline).length).toBeLessThan(100_000);
});
