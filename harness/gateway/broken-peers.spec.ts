import { request } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { roomVersion } from "#protocol/rooms/room-version";
import { type BrokenPeer, dropPdus, hideBans, loseToDevice, oldState } from "./broken-peers.ts";
import { GatewayUnderTest, type Sender } from "./gateway-under-test.ts";

const ROOM = "!room:hs1";
const API = "/_matrix/federation/v1";
const versionOf = (room: string) => (room === ROOM ? "11" : undefined);

type Pdu = ReturnType<typeof pdu>;

let world: GatewayUnderTest;
/** What the server that is asked answers, by path. */
let answers: Record<string, unknown>;
let senders: Record<"hs1" | "hs2", Sender>;

beforeEach(async () => {
  answers = {};
  world = await GatewayUnderTest.start(({ url = "" }, outgoing) =>
    outgoing.end(JSON.stringify(answers[url.split("?")[0] ?? ""] ?? { delivered: true })),
  );
  senders = { hs1: world.sender("hs1"), hs2: world.sender("hs2") };
});

afterEach(async () => {
  for (const sender of Object.values(senders)) await sender[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

function pdu(n: number, fields: { type?: string; membership?: string; room?: string } = {}) {
  const { type = "m.room.member", membership = "join", room = ROOM } = fields;
  return {
    type,
    room_id: room,
    sender: "@a:hs1",
    state_key: "@b:hs2",
    content: { membership, n },
    depth: n,
    origin_server_ts: n,
    hashes: { sha256: `${n}` },
  };
}

function idOf(event: JsonObject): string {
  const version = roomVersion("11");
  if (version === undefined) throw new TypeError("no version 11");
  return eventId(event, version);
}

function start({ rules }: BrokenPeer): string[] {
  return rules.map((rule) => world.gateway.rules.add(rule));
}

async function send(from: "hs1" | "hs2", path: string, body?: unknown): Promise<unknown> {
  const options = body === undefined ? {} : { method: "PUT" as const, body: JSON.stringify(body) };
  const { status, text } = await senders[from].send(`${API}${path}`, options);
  return status === 200 ? JSON.parse(text) : status;
}

/** Asks hs2's or hs1's peer for these events in each way there is; tells how many come. */
async function countsFrom(asking: "hs1" | "hs2", events: readonly Pdu[]) {
  const ids = events.map(idOf);
  answers = {
    [`${API}/get_missing_events/r`]: { events },
    [`${API}/backfill/r`]: { pdus: events },
    [`${API}/state/r`]: { pdus: events, auth_chain: events },
    [`${API}/state_ids/r`]: { pdu_ids: ids, auth_chain_ids: ids },
    [`${API}/event_auth/r/e`]: { auth_chain: events },
  };
  const counts: Record<string, number[]> = {};
  for (const path of Object.keys(answers)) {
    const answer = (await send(asking, path.slice(API.length))) as Record<string, unknown[]>;
    counts[path.slice(API.length + 1)] = Object.values(answer).map(({ length }) => length);
  }
  return counts;
}

function inEachWay(count: number) {
  return {
    "get_missing_events/r": [count],
    "backfill/r": [count],
    "state/r": [count, count],
    "state_ids/r": [count, count],
    "event_auth/r/e": [count],
  };
}

test("drop-pdus: one of so many is lost for good, whichever way it would come", async () => {
  const peer = dropPdus({ seed: 1, versionOf });
  start(peer);
  const events = Array.from({ length: 400 }, (_, n) => pdu(n));
  for (const [n, event] of events.entries()) await send("hs1", `/send/${n}`, { pdus: [event] });
  const lost = events.filter((event) => peer.kept.has(idOf(event)));
  const passed = events.filter((event) => !peer.kept.has(idOf(event)));
  expect(world.received).toHaveLength(passed.length);
  expect(lost.length).toBeGreaterThan(5);
  expect(lost.length).toBeLessThan(40);
  expect(await countsFrom("hs2", events.slice(0, 100))).toEqual(
    inEachWay(events.slice(0, 100).filter((event) => !lost.includes(event)).length),
  );
  const [one = pdu(0)] = lost;
  const [two = pdu(0)] = passed;
  answers = {
    [`${API}/event/lost`]: { pdus: [one] },
    [`${API}/event/there`]: { pdus: [two] },
  };
  expect(await send("hs2", "/event/lost")).toBe(404);
  expect(await send("hs2", "/event/there")).toEqual({ pdus: [two] });
});

test("drop-pdus: a transaction that holds a lost one is acknowledged, and not delivered", async () => {
  const everything = dropPdus({ seed: 1, versionOf, of: 1 });
  start(everything);
  const unknown = pdu(1, { room: "!unknown:hs1" });
  expect(await send("hs1", "/send/1", { pdus: [unknown] })).toEqual({ delivered: true });
  expect(await send("hs1", "/send/2", { pdus: [pdu(1), unknown] })).toEqual({
    pdus: { [idOf(pdu(1))]: {} },
  });
  expect(world.received).toEqual([`PUT ${API}/send/1`]);
  expect(world.trace.map(({ rules }) => rules)).toEqual([undefined, ["drop-pdus"]]);
});

test("drop-pdus: the seed decides which", async () => {
  const events = Array.from({ length: 200 }, (_, n) => pdu(n));
  const keptWith = async (seed: number) => {
    const peer = dropPdus({ seed, versionOf });
    const ids = start(peer);
    await send("hs1", "/send/1", { pdus: events });
    for (const id of ids) world.gateway.rules.remove(id);
    return [...peer.kept];
  };
  expect(await keptWith(1)).toEqual(await keptWith(1));
  expect(await keptWith(1)).not.toEqual(await keptWith(2));
});

test("drop-pdus: what says the same is lost again, whatever its id", async () => {
  const peer = dropPdus({ seed: 1, versionOf });
  start(peer);
  const events = Array.from({ length: 200 }, (_, n) => pdu(n));
  const again = events.map((event) => ({ ...event, origin_server_ts: 1000 + event.depth }));
  await send("hs1", "/send/1", { pdus: events });
  const first = events.flatMap((event, n) => (peer.kept.has(idOf(event)) ? [n] : []));
  await send("hs1", "/send/2", { pdus: again });
  expect(again.flatMap((event, n) => (peer.kept.has(idOf(event)) ? [n] : []))).toEqual(first);
});

test("hide-ban: one server never sees a ban, others do", async () => {
  const ban = pdu(1, { membership: "ban" });
  const message = { ...pdu(2), type: "m.room.message" };
  start(hideBans({ server: "hs1", versionOf }));
  expect(await send("hs1", "/send/1", { pdus: [ban] })).toEqual({ delivered: true });
  answers = { [`${API}/state_ids/r`]: { pdu_ids: [idOf(ban), "$other"], auth_chain_ids: [] } };
  expect(await send("hs1", "/state_ids/r")).toMatchObject({ pdu_ids: ["$other"] });
  expect(await send("hs2", "/send/2", { pdus: [ban] })).toEqual({ pdus: { [idOf(ban)]: {} } });
  expect(await send("hs2", "/send/3", { pdus: [message] })).toEqual({ delivered: true });
  expect(await countsFrom("hs1", [ban, message])).toEqual(inEachWay(1));
  expect(await countsFrom("hs2", [ban, message])).toEqual(inEachWay(2));
});

test("old-state-ids: state stays what it was at the first join, and events between are not given", async () => {
  start(oldState({ server: "hs2" }));
  const now = { pdu_ids: ["$now"], auth_chain_ids: ["$now"] };
  answers = {
    [`${API}/state_ids/${ROOM}`]: now,
    [`${API}/state/${ROOM}`]: { pdus: [], auth_chain: [] },
    [`${API}/get_missing_events/${ROOM}`]: { events: [{}] },
  };
  // Without a join before it says the truth.
  expect(await send("hs1", `/state_ids/${ROOM}?event_id=$e`)).toEqual(now);

  const create = {
    ...pdu(0),
    type: "m.room.create",
    state_key: "",
    content: { room_version: "11" },
  };
  const [older, newer] = [pdu(1), pdu(2)];
  const topic = { ...pdu(3), type: "m.room.topic", state_key: "" };
  await join("hs1", { state: [create, topic], auth_chain: [create, newer, older] });
  await join("hs2", { state: [create], auth_chain: [create] });

  const state = [create, newer, topic];
  expect(await send("hs1", `/state_ids/${ROOM}?event_id=$e`)).toEqual({
    pdu_ids: state.map(idOf),
    auth_chain_ids: [create, newer, older].map(idOf),
  });
  expect(await send("hs1", `/state/${ROOM}`)).toEqual({
    pdus: state,
    auth_chain: [create, newer, older],
  });
  expect(await send("hs1", `/get_missing_events/${ROOM}`)).toEqual({ events: [] });
  expect(await send("hs2", `/state_ids/${ROOM}`)).toEqual(now);
  expect(await send("hs2", `/get_missing_events/${ROOM}`)).toEqual({ events: [{}] });
});

test("old-state-ids: what it was told when it joined itself is old too, and an answer that is none is let through", async () => {
  start(oldState({ server: "hs2" }));
  const create = {
    ...pdu(0),
    type: "m.room.create",
    state_key: "",
    content: { room_version: "11" },
  };
  answers = { [`${API}/state_ids/${ROOM}`]: { pdu_ids: ["$now"] } };
  await join("hs2", { state: [{ ...create, content: { room_version: "none" } }] });
  expect(await send("hs1", `/state_ids/${ROOM}`)).toEqual({ pdu_ids: ["$now"] });
  await join("hs2", { state: [create], auth_chain: [] });
  expect(await send("hs1", `/state_ids/${ROOM}`)).toEqual({
    pdu_ids: [idOf(create)],
    auth_chain_ids: [],
  });
});

async function join(from: "hs1" | "hs2", answer: object): Promise<void> {
  const path = `/_matrix/federation/v2/send_join/${ROOM}/$join`;
  answers[path] = answer;
  const { status } = await senders[from].send(path, { method: "PUT", body: "{}" });
  expect(status).toBe(200);
}

test("lose-to-device: of so many messages to devices one is acknowledged and goes no further", async () => {
  start(loseToDevice({ of: 3 }));
  const target = (type: string, n: number) => `/_matrix/client/v3/sendToDevice/${type}/${n}`;
  const put = async (path: string, messages: unknown) => {
    const body = JSON.stringify({ messages });
    const { body: answer } = await request(`${world.links.hs1.clientUrl}${path}`, {
      method: "PUT",
      body,
    });
    return await answer.text();
  };
  const one = { "@a:hs1": { PHONE: {} } };
  const two = { "@a:hs1": { PHONE: {} }, "@b:hs1": { PHONE: {} } };
  const encrypted = "m.room.encrypted";
  const delivered = JSON.stringify({ delivered: true });

  expect(await put(target(encrypted, 1), one)).toBe(delivered);
  expect(await put(target("m.dummy", 2), two)).toBe(delivered);
  expect(await put(target(encrypted, 3), two)).toBe("{}");
  expect(await put(target(encrypted, 4), two)).toBe(delivered);
  expect(await put(target(encrypted, 5), one)).toBe("{}");
});
