import { expect, test } from "vitest";
import type { JsonObject } from "#protocol/events/event";
import { hasValidHash, referenceHash } from "#protocol/events/hashes";
import { publicKeyOf, verifyEvent } from "#protocol/events/signatures";
import { ROOM_VERSIONS } from "#protocol/rooms/room-version";
import { type Founding, foundRoom } from "./found.ts";
import { PeerKeys } from "./keys.ts";
import type { Draft, PeerRoom } from "./room.ts";

const KEYS = new PeerKeys("peer-1:8448", "spec");
const BOB = "@bob:peer-1:8448";
const CAROL = "@carol:peer-1:8448";
const VERSIONS = [...ROOM_VERSIONS.keys()];

let count = 0;

function found(version: string, more: Partial<Founding> = {}): PeerRoom {
  return foundRoom({ version, creator: BOB, ...more }, KEYS, (prefix) => `${prefix}-${++count}`);
}

function topic(sender: string, text: string): Draft {
  return { type: "m.room.topic", stateKey: "", sender, content: { topic: text } };
}

function join(user: string): Draft {
  const content = { membership: "join" };
  return { type: "m.room.member", stateKey: user, sender: user, content };
}

test.for(VERSIONS)("founds a room of version %s in which every event is right", (version) => {
  const room = found(version);
  const entry = room.add(room.build(topic(BOB, "t")));
  const publicKey = publicKeyOf(KEYS.key.secret);
  const lookUp = () => ({ publicKey, validUntilTs: KEYS.validUntilTs });

  for (const { pdu, rejection } of room.entries) {
    expect(rejection).toBeUndefined();
    expect(hasValidHash(pdu.json)).toBe(true);
    expect(verifyEvent(pdu.json, room.version, lookUp, Date.now())).toBeUndefined();
  }
  expect([...room.entries].map(({ event }) => event.type)).toEqual([
    "m.room.create",
    "m.room.member",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.topic",
  ]);
  expect(room.extremities).toEqual([entry.event.id]);
  expect(entry.event.depth).toBe(5);
  const cited = entry.event.authEvents.map((id) => room.find(id)?.event.type);
  expect(cited.includes("m.room.create")).toBe(!room.version.isRoomIdHash);
});

test("a room is founded on a create event that is wrong, as if it were right", () => {
  const withRoomId = (event: JsonObject) => ({ ...event, room_id: "!other:peer-1:8448" });
  const room = found("12", { createLies: { beforeHash: withRoomId } });
  const create = room.stateEvent("m.room.create");

  expect(room.roomId).toBe(`!${create?.id.slice(1)}`);
  expect(room.pdu(create?.id ?? "").json.room_id).toBe("!other:peer-1:8448");
  expect([...room.entries].map(({ rejection }) => rejection)).toEqual(Array(4).fill(undefined));

  const foreign = found("11", { roomId: "!room:other" });
  expect(foreign.stateEvent("m.room.join_rules")?.roomId).toBe("!room:other");
});

test("in versions 1 and 2 events are cited with their hashes", () => {
  const room = found("1");
  const [last = ""] = room.extremities;
  const hash = referenceHash(room.pdu(last).json, room.version);

  expect(room.build(topic(BOB, "t")).json.prev_events).toEqual([[last, { sha256: hash }]]);
});

test("what the rules refuse changes nothing, unless the check says otherwise", () => {
  const room = found("11");
  room.add(room.build(join(CAROL)));
  const before = room.extremities;
  const refused = room.build(topic(CAROL, "not allowed"));

  expect(room.add(refused).rejection?.rule).toBe("event.level");
  expect(room.extremities).toEqual(before);
  expect(room.stateEvent("m.room.topic")).toBeUndefined();

  const other = found("11");
  other.add(other.build(join(CAROL)));
  other.add(other.build(topic(CAROL, "as said")), { isRejected: false });
  expect(other.stateEvent("m.room.topic")?.content).toEqual({ topic: "as said" });
});

test.for(["1", "2", "12"])("resolves forks of version %s", (version) => {
  const room = found(version);
  room.add(room.build(join(CAROL)));
  const fork = room.extremities;
  const first = room.build({ ...topic(BOB, "first"), originServerTs: 1 });
  const second = room.build({ ...topic(BOB, "second"), originServerTs: 2, prevEvents: fork });
  room.add(first);
  room.add(second);

  expect(new Set(room.extremities)).toEqual(new Set([first.id, second.id]));
  expect(["first", "second"]).toContain(room.stateEvent("m.room.topic")?.content.topic);
  const merge = room.add(room.build({ type: "x.merge", sender: BOB, content: {} }));
  expect(room.extremities).toEqual([merge.event.id]);
  expect(new Set(merge.event.prevEvents)).toEqual(new Set([first.id, second.id]));
});

test("an event on top of an old one cites the state there", () => {
  const room = found("11");
  const [old = ""] = room.extremities;
  room.add(room.build({ ...join(BOB), content: { membership: "join", displayname: "Bob" } }));
  const pdu = room.build({ ...topic(BOB, "t"), prevEvents: [old] });
  const cited = pdu.json.auth_events as readonly string[];
  const member = room.stateEvent("m.room.member", BOB, room.stateAt([old]));

  expect(cited).toContain(member?.id);
  expect(cited).not.toContain(room.stateEvent("m.room.member", BOB)?.id);
});

test("changes after hashing spoil the hash, changes after signing the signature too", () => {
  const room = found("11");
  const isSigned = (json: JsonObject) => {
    const publicKey = publicKeyOf(KEYS.key.secret);
    const key = { publicKey, validUntilTs: KEYS.validUntilTs };
    return verifyEvent(json, room.version, () => key, Date.now()) === undefined;
  };
  const deeper = (event: JsonObject) => ({ ...event, depth: 99 });
  const hashed = room.build({ ...topic(BOB, "t"), afterHash: deeper });
  const signed = room.build({ ...topic(BOB, "t"), afterSign: deeper });
  const before = room.build({ ...topic(BOB, "t"), beforeHash: deeper });

  expect([hasValidHash(hashed.json), isSigned(hashed.json)]).toEqual([false, true]);
  expect([hasValidHash(signed.json), isSigned(signed.json)]).toEqual([false, false]);
  expect([hasValidHash(before.json), isSigned(before.json)]).toEqual([true, true]);
});

test("walks back as far as it is asked to", () => {
  const room = found("11");
  const [start = ""] = room.extremities;
  const added = ["a", "b", "c"].map((text) => room.add(room.build(topic(BOB, text))).event.id);
  const [a = "", b = "", c = ""] = added;
  const ids = (...parameters: Parameters<PeerRoom["ancestors"]>) =>
    room.ancestors(...parameters).map(({ id }) => id);

  expect(ids([c], { limit: 2, includesFrom: true })).toEqual([c, b]);
  expect(ids([c], { limit: 9, stopAt: [start], includesFrom: false })).toEqual([b, a]);
});

test("an auth chain is everything that is cited, oldest first", () => {
  const room = found("11");
  const types = room.authChain(room.extremities).map(({ json }) => json.type);

  expect(types).toEqual(["m.room.create", "m.room.member", "m.room.power_levels"]);
});
